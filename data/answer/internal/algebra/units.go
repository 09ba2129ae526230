package algebra

import "strings"

// units are names of units with the one they are compared as. Names that are
// not here are compared as they are written.
var units = map[string]string{
	"cm": "cm", "centimeter": "cm", "centimeters": "cm", "centimetres": "cm", "mm": "mm", "km": "km", "kilometers": "km", "meters": "m", "metres": "m", "meter": "m",
	"kg": "kg", "kilograms": "kg", "grams": "g", "gram": "g", "seconds": "s", "second": "s", "sec": "s", "minutes": "min", "minute": "min", "mins": "min",
	"hours": "h", "hour": "h", "hrs": "h", "hr": "h", "days": "day", "dollars": "dollar", "dollar": "dollar", "usd": "dollar", "cents": "cent",
	"degrees": "degree", "degree": "degree", "percent": "%", "ft": "ft", "feet": "ft", "inches": "in", "inch": "in", "mph": "mph", "mi": "mi", "miles": "mi",
	"years": "year", "yards": "yd", "lbs": "lb", "pounds": "lb", "ml": "ml", "liters": "l", "litres": "l",
}

// sameUnit says whether two names mean one unit.
func sameUnit(a, b string) bool { return unit(a) == unit(b) }

func unit(name string) string {
	name = strings.ToLower(strings.Trim(name, " ."))
	if known := units[name]; known != "" {
		return known
	}
	return strings.TrimSuffix(strings.ReplaceAll(name, "square units", "units"), "s")
}
