// Sends pictures to a ferserve server and prints a line per face; docs/clients.md describes it.
//
//   node client.mjs classify photo.jpg [options]     one call per picture, tried again if the server is away
//   node client.mjs stream FOLDER [options]          the pictures of a folder as a video, in order of their names
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { parseArgs } from 'node:util';
import grpc from '@grpc/grpc-js';
import { openService, UsageError } from './connection.mjs';

const OPTIONS = {
  target: { type: 'string', default: '127.0.0.1:50051' },
  'tls-ca': { type: 'string' },
  'tls-cert': { type: 'string' },
  'tls-key': { type: 'string' },
  token: { type: 'string', default: process.env.FERSERVE_TOKEN },
  proto: { type: 'string' },
  model: { type: 'string', default: '' },
  fps: { type: 'string', default: '25' },
  'deadline-s': { type: 'string', default: '0' },
};
const PICTURES = new Set(['.jpg', '.jpeg', '.png', '.webp', '.bmp', '.gif', '.tif', '.tiff']);
const DONE = 0, SOME_FAILED = 1, NO_SERVER_OR_USAGE = 2, INTERRUPTED = 130, CLOSED_PIPE = 141;

const number = (values, name) => {
  const value = Number(values[name]);
  if (!(value >= 0 && Number.isFinite(value))) throw new UsageError(`${name} must be a number from 0 on, got ${values[name]}`);
  return value;
};

// The time until which a call may take; none if there is no limit.
const callOptions = (deadlineS) => (deadlineS > 0 ? { deadline: Date.now() + deadlineS * 1000 } : {});

// Prints one result; returns whether the picture was classified.
function print(name, result) {
  if (result.outcome === 'fault') {
    console.error(`${name}: ${result.fault.message} (${result.fault.code})`);
    return false;
  }
  if (result.outcome === 'dropped') {
    console.error(`${name}: dropped, ${result.dropped.reason}`);
    return false;
  }
  if (!result.faces.faces.length) console.log(`${name}\tno face`);
  for (const face of result.faces.faces) {
    const [head] = face.heads;
    const box = [face.box.x0, face.box.y0, face.box.x1, face.box.y1].map(Math.round).join(',');
    const emotion = face.sure ? head.label : `${head.label} (not sure)`;
    console.log(`${name}\tface ${face.trackId}\t${emotion}\t${head.confidence.toFixed(2)}\t${box}`);
  }
  return true;
}

// One line for a call that failed: what the server said, its status, and the kind of the error, which programs can rely on.
function explain(error) {
  if (!error.metadata) return error.message; // not of a call: a file that cannot be read
  const [kind] = error.metadata.get('ferserve-error-kind');
  return `${(error.details || error.message).replace(/\s+/g, ' ')} (${grpc.status[error.code]}${kind ? `, ${kind}` : ''})`;
}

// One unary call per picture; a picture that failed is told and the others go on.
async function classify(service, metadata, names, { model, deadlineS, interrupt }) {
  let failed = false;
  for (const name of names) {
    try {
      const request = { frame: { encoded: await readFile(name) }, options: { model } };
      const response = await new Promise((resolve, reject) => {
        const answer = (error, value) => (error ? reject(error) : resolve(value));
        interrupt.call = service.classify(request, metadata, callOptions(deadlineS), answer);
      });
      failed = !print(name, response.result) || failed;
    } catch (error) {
      if (interrupt.asked) return INTERRUPTED;
      console.error(`${name}: ${explain(error)}`);
      failed = true;
    }
  }
  return failed ? SOME_FAILED : DONE;
}

// Sends the config and one frame per file; waits for `drain` so that no more of the folder is read than the server takes.
// A file that cannot be read is told and left out; ids may have gaps.
async function send(call, folder, names, { model, fps }) {
  const write = async (message) => {
    if (!call.write(message)) await new Promise((resolve) => ['drain', 'close', 'error'].forEach((event) => call.once(event, resolve)));
  };
  await write({ config: { options: { model }, delivery: 'DELIVERY_EVERY' } });
  for (const [index, name] of names.entries()) {
    if (call.destroyed || call.readableEnded) return;
    try {
      const encoded = await readFile(path.join(folder, name));
      // From one frame on: 0 would mean that the time is not known.
      const captureTimeNs = String(Math.round(((index + 1) / fps) * 1e9));
      await write({ frame: { frameId: index + 1, captureTimeNs, encoded } });
    } catch (error) {
      console.error(`${name}: ${error.message}`);
    }
  }
  call.end();
}

// A stream: every frame gets one answer, in order; a frame at fault does not end it.
async function stream(service, metadata, [folder], { model, fps, deadlineS, interrupt }) {
  const names = (await readdir(folder)).filter((name) => PICTURES.has(path.extname(name).toLowerCase())).sort();
  if (!names.length) throw new UsageError(`${folder} must hold pictures, got none`);
  const call = service.classifyStream(metadata, callOptions(deadlineS));
  interrupt.call = call;
  let failed = false, answered = 0;
  const finished = new Promise((resolve) => {
    call.on('data', ({ message, result }) => {
      if (message !== 'result') return;
      answered += 1;
      failed = !print(names[Number(result.frameId) - 1], result) || failed;
    });
    call.on('error', (error) => {
      if (interrupt.asked) return resolve(INTERRUPTED);
      console.error(`${folder}: ${explain(error)}; ${answered} of ${names.length} pictures were answered`);
      resolve(answered ? SOME_FAILED : NO_SERVER_OR_USAGE);
    });
    call.on('status', ({ code }) => {
      if (code === grpc.status.OK) resolve(failed || answered < names.length ? SOME_FAILED : DONE);
    });
  });
  send(call, folder, names, { model, fps });
  return finished;
}

async function main() {
  const { values, positionals: [command, ...inputs] } = parseArgs({ options: OPTIONS, allowPositionals: true });
  const run = { classify, stream }[command];
  if (!run || !inputs.length || (run === stream && inputs.length > 1)) throw new UsageError('usage: node client.mjs classify FILE... | stream FOLDER [--target HOST:PORT]');
  const fps = number(values, 'fps');
  if (fps === 0) throw new UsageError('fps must be greater than 0, got 0');
  const { service, metadata } = await openService(values);
  const interrupt = { asked: false, call: null };
  process.on('SIGINT', () => { interrupt.asked = true; interrupt.call?.cancel(); });
  try {
    return await run(service, metadata, inputs, { model: values.model, fps, deadlineS: number(values, 'deadline-s'), interrupt });
  } finally {
    service.close();
  }
}

process.stdout.on('error', () => process.exit(CLOSED_PIPE)); // as of `| head`
main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(error.message);
  process.exitCode = error instanceof UsageError || error.code?.startsWith?.('ERR_PARSE_ARGS') || error.code === 'ENOENT' || error.code === 'ENOTDIR' ? NO_SERVER_OR_USAGE : SOME_FAILED;
});
