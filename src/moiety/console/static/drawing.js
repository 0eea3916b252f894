// Drawn signatures: lines of points with whole numbers, 1000 to the width of the pad.

const WIDTH = 1000;
const HEIGHT = 360;
const APART = 4;

export function lines(canvas, strokes) {
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, canvas.width, canvas.height);
  pen.strokeStyle = getComputedStyle(canvas).color;
  pen.lineWidth = 5;
  pen.lineCap = pen.lineJoin = "round";
  for (const stroke of strokes) {
    pen.beginPath();
    stroke.forEach(([x, y], index) => (index ? pen.lineTo(x, y) : pen.moveTo(x, y)));
    if (stroke.length === 1) pen.lineTo(stroke[0][0] + 1, stroke[0][1]);
    pen.stroke();
  }
}

function fresh() {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  return canvas;
}

// Draws a signature that was kept.
export function draw(strokes) {
  const canvas = fresh();
  canvas.className = "signature";
  canvas.setAttribute("role", "img");
  // Its colour is known once it stands on the page.
  requestAnimationFrame(() => lines(canvas, strokes));
  return canvas;
}

// Lets somebody draw on a canvas; gives the strokes as they grow.
export function pad(canvas, changed) {
  const strokes = [];
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  let drawing = null;

  function point(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.round(((event.clientX - box.left) / box.width) * WIDTH);
    const y = Math.round(((event.clientY - box.top) / box.height) * HEIGHT);
    return [Math.min(Math.max(x, 0), WIDTH), Math.min(Math.max(y, 0), HEIGHT)];
  }

  function add(event) {
    const at = point(event);
    const last = drawing.at(-1);
    if (last && Math.hypot(at[0] - last[0], at[1] - last[1]) < APART) return;
    drawing.push(at);
    lines(canvas, strokes);
  }

  canvas.addEventListener("pointerdown", (event) => {
    canvas.setPointerCapture(event.pointerId);
    drawing = [];
    strokes.push(drawing);
    add(event);
    event.preventDefault();
  });
  canvas.addEventListener("pointermove", (event) => {
    if (drawing) add(event);
  });
  for (const kind of ["pointerup", "pointercancel"]) {
    canvas.addEventListener(kind, () => {
      drawing = null;
      changed(strokes);
    });
  }
  return {
    strokes,
    clear() {
      strokes.length = 0;
      lines(canvas, strokes);
      changed(strokes);
    },
  };
}
