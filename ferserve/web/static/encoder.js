// A worker: pictures in, messages with a JPEG and room for the header out.
const HEADER_BYTES = 16;
let canvas;
let context;

addEventListener("message", async ({ data: { image, width, height, quality, ...more } }) => {
  if (canvas?.width !== width || canvas?.height !== height) {
    canvas = new OffscreenCanvas(width, height);
    context = canvas.getContext("2d", { alpha: false, desynchronized: true });
  }
  context.drawImage(image, 0, 0, width, height);
  image.close();
  const blob = await canvas.convertToBlob({ type: "image/jpeg", quality });
  const message = new Uint8Array(HEADER_BYTES + blob.size);
  message.set(new Uint8Array(await blob.arrayBuffer()), HEADER_BYTES);
  postMessage({ message: message.buffer, ...more }, [message.buffer]);
});
