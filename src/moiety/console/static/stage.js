// The picture with a frame around every face. Boxes come in pixels of the upright picture, as browsers show it.

const stage = document.getElementById("stage");
const picture = document.getElementById("picture");
const frames = document.getElementById("frames");
const invite = document.getElementById("invite");

let boxes = [];
let address = null;

function place() {
  const { naturalWidth: width, naturalHeight: height } = picture;
  if (!width) return;
  const scale = Math.min(stage.clientWidth / width, stage.clientHeight / height);
  const left = (stage.clientWidth - width * scale) / 2;
  const top = (stage.clientHeight - height * scale) / 2;
  [...frames.children].forEach((frame, index) => {
    const [x, y, w, h] = boxes[index];
    frame.style.left = `${left + x * scale}px`;
    frame.style.top = `${top + y * scale}px`;
    frame.style.width = `${w * scale}px`;
    frame.style.height = `${h * scale}px`;
  });
}

new ResizeObserver(place).observe(stage);

// Shows a picture; resolves to whether this browser can display it.
export async function show(image) {
  clearFrames();
  if (address) URL.revokeObjectURL(address);
  address = URL.createObjectURL(image);
  picture.src = address;
  let visible = true;
  try {
    await picture.decode();
  } catch {
    visible = false;
  }
  picture.hidden = !visible;
  invite.hidden = visible;
  stage.classList.toggle("full", visible);
  return visible;
}

export function clearFrames() {
  boxes = [];
  frames.replaceChildren();
}

export function frame(faces) {
  boxes = faces.map((face) => face.box);
  frames.replaceChildren(
    ...faces.map((face, index) => {
      const one = document.createElement("div");
      one.className = "frame";
      one.dataset.found = String(face.candidates.length > 0);
      const number = document.createElement("span");
      number.textContent = String(index + 1);
      one.append(number);
      return one;
    }),
  );
  place();
}

export function point(index, on) {
  frames.children[index]?.classList.toggle("pointed", on);
}

// Cuts one face out of the picture, a little wider than its box.
export function crop(box, pixels) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = pixels;
  const [x, y, w, h] = box;
  const side = Math.max(w, h) * 1.3;
  if (picture.naturalWidth) {
    canvas
      .getContext("2d")
      .drawImage(picture, x + w / 2 - side / 2, y + h / 2 - side / 2, side, side, 0, 0, pixels, pixels);
  }
  return canvas;
}
