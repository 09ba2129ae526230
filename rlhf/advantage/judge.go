package advantage

// BothOrders is how much a judge prefers the first of two answers when it has seen them
// in both orders: ab is its preference for the first answer shown first, ba for the
// second answer shown first, each from 0 to 1. What it prefers because of the place drops
// out.
//
// Lee et al. 2023, RLAIF, arXiv:2309.00267.
func BothOrders(ab, ba float64) float64 { return (ab + 1 - ba) / 2 }
