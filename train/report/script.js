"use strict";
// Shows the values nearest to the pointer. The page is complete without it.
(() => {
  const left = 58, right = 456, top = 10, bottom = 214;
  const numbers = (text) => text ? text.split(" ").map(Number) : [];
  const make = (name, attributes) => {
    const e = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const k in attributes) e.setAttribute(k, attributes[k]);
    return e;
  };
  const read = (svg) => {
    const lines = [];
    for (const g of svg.querySelectorAll(".line")) {
      const steps = numbers(g.dataset.steps), values = numbers(g.dataset.values);
      for (let i = 1; i < steps.length; i++) steps[i] += steps[i - 1];
      if (steps.length) lines.push({ g, steps, values, name: g.dataset.name });
    }
    return lines;
  };
  const nearest = (steps, x) => {
    let low = 0, high = steps.length - 1;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (steps[middle] < x) low = middle; else high = middle;
    }
    return x - steps[low] < steps[high] - x ? low : high;
  };
  const start = (svg) => {
    const [x0, x1] = numbers(svg.dataset.x), [y0, y1] = numbers(svg.dataset.y), log = svg.dataset.log;
    const lines = read(svg), output = svg.closest("figure").querySelector("output");
    const px = (x) => left + (right - left) * (x - x0) / (x1 - x0);
    const py = (y) => bottom - (bottom - top) * (log ? Math.log(y / y0) / Math.log(y1 / y0) : (y / 2 - y0 / 2) / (y1 / 2 - y0 / 2));
    const cursor = make("path", { class: "cursor" }), dots = lines.map((l) => l.g.appendChild(make("circle", { r: 4, visibility: "hidden" })));
    svg.appendChild(cursor);
    const show = (event) => {
      const box = svg.getBoundingClientRect();
      const x = x0 + ((event.clientX - box.left) / box.width * 480 - left) / (right - left) * (x1 - x0);
      let best = null;
      const at = lines.map((l) => nearest(l.steps, x));
      lines.forEach((l, k) => {
        const step = l.steps[at[k]];
        if (best === null || Math.abs(step - x) < Math.abs(best - x)) best = step;
      });
      const words = [];
      lines.forEach((l, k) => {
        const step = l.steps[at[k]], value = l.values[at[k]];
        words.push((lines.length > 1 ? l.name + " " : "") + value + (step === best ? "" : " (step " + step + ")"));
        dots[k].setAttribute("cx", px(step));
        dots[k].setAttribute("cy", py(value));
        dots[k].setAttribute("visibility", "visible");
      });
      cursor.setAttribute("d", "M" + px(best) + "," + top + "V" + bottom);
      output.textContent = "step " + best + ": " + words.join(", ");
    };
    const hide = () => {
      output.textContent = "";
      cursor.removeAttribute("d");
      for (const d of dots) d.setAttribute("visibility", "hidden");
    };
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", hide);
    return lines.length > 0;
  };
  for (const svg of document.querySelectorAll("svg")) {
    // Charts are read only when somebody points at them: pages are large.
    svg.addEventListener("pointerenter", () => start(svg), { once: true });
  }
})();
