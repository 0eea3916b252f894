// The camera: asked for on a button, stopped after the picture, never running unseen.

import { words } from "/static/words.js";

const live = document.getElementById("live");
let stream = null;

export async function start() {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new Error(words.noHttps);
  }
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
  } catch (error) {
    const none = error.name === "NotFoundError" || error.name === "OverconstrainedError";
    throw new Error(none ? words.noCamera : words.cameraRefused);
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
