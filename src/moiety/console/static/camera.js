// The camera: asked for on a button, stopped after the picture, never running unseen.

const live = document.getElementById("live");
let stream = null;

export async function start() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error("The camera works only over https or on this machine's own address (localhost).");
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
  } catch (error) {
    const none = error.name === "NotFoundError" || error.name === "OverconstrainedError";
    throw new Error(none ? "No camera was found." : "The camera was not allowed, or another program holds it.");
  }
  live.srcObject = stream;
  live.hidden = false;
  await live.play();
}

export function stop() {
  stream?.getTracks().forEach((track) => track.stop());
  stream = null;
  live.srcObject = null;
  live.hidden = true;
}

// Takes one still picture as JPEG.
export function shoot() {
  const canvas = document.createElement("canvas");
  canvas.width = live.videoWidth;
  canvas.height = live.videoHeight;
  canvas.getContext("2d").drawImage(live, 0, 0);
  return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.95));
}
