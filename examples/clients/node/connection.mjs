// The connection to a ferserve server: protocol, TLS, token, retries.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import grpc from '@grpc/grpc-js';
import protoLoader from '@grpc/proto-loader';

const HERE = path.dirname(fileURLToPath(import.meta.url));
const PROTO = 'ferserve/v1/emotion.proto';
const RETRY_BUFFER_BYTES = 64 * 1024 * 1024; // a call is sent again as long as gRPC holds all of it

export class UsageError extends Error {}

// The service, and the metadata for every call. `values` are options of the command line.
export async function openService(values) {
  const folder = values.proto ?? path.join(HERE, '../../../proto');
  if (!existsSync(path.join(folder, PROTO))) throw new UsageError(`proto must be a folder with ${PROTO}, got ${folder}`);
  const definition = await protoLoader.load(PROTO, {
    includeDirs: [folder], longs: String, enums: String, defaults: true, arrays: true, oneofs: true,
  });
  const { EmotionService } = grpc.loadPackageDefinition(definition).ferserve.v1;
  const metadata = new grpc.Metadata();
  if (values.token) {
    requirePrivate(values);
    metadata.set('authorization', `Bearer ${values.token}`);
  }
  const service = new EmotionService(values.target, credentials(values), {
    'grpc.service_config': readFileSync(path.join(HERE, '../service-config.json'), 'utf8'),
    'grpc.per_rpc_retry_buffer_size': RETRY_BUFFER_BYTES,
    'grpc.max_receive_message_length': -1,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2000,
    'grpc.keepalive_time_ms': 20000, // a server that vanished is noticed within half a minute
    'grpc.keepalive_timeout_ms': 10000,
  });
  return { service, metadata };
}

function credentials(values) {
  const [ca, key, cert] = ['tls-ca', 'tls-key', 'tls-cert'].map((name) => values[name] && read(name, values[name]));
  if (!ca && (key || cert)) throw new UsageError('tls-ca must be set beside tls-cert and tls-key');
  if (Boolean(key) !== Boolean(cert)) throw new UsageError('tls-cert and tls-key must be set both');
  return ca ? grpc.credentials.createSsl(ca, key ?? null, cert ?? null) : grpc.credentials.createInsecure();
}

function read(name, file) {
  try {
    return readFileSync(file);
  } catch (error) {
    throw new UsageError(`${name} must be a file that can be read, got ${file}: ${error.message}`);
  }
}

// A token in plain text on a network is anybody's.
function requirePrivate({ target, 'tls-ca': ca }) {
  if (!ca && !/^(unix:|127\.\d+\.\d+\.\d+:\d+$|localhost:\d+$|\[::1\]:\d+$)/.test(target)) {
    throw new UsageError(`token must go by TLS or to this machine, got ${target} in plain text; set --tls-ca`);
  }
}
