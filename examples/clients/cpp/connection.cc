#include "connection.h"

#include <cerrno>
#include <chrono>
#include <cstring>
#include <fstream>
#include <regex>
#include <sstream>

#include "service_config.h"

namespace {

constexpr int kRetryBufferBytes = 64 * 1024 * 1024;  // a call is sent again as long as gRPC holds all of it

std::string ReadOption(const std::string& name, const std::string& path) {
  if (path.empty()) return "";
  try {
    return ReadFile(path);
  } catch (const std::runtime_error& error) {
    throw UsageError(name + " must be a file that can be read, got " + error.what());
  }
}

std::shared_ptr<grpc::ChannelCredentials> Credentials(const Options& options) {
  grpc::SslCredentialsOptions ssl;
  ssl.pem_root_certs = ReadOption("tls-ca", options.tls_ca);
  ssl.pem_cert_chain = ReadOption("tls-cert", options.tls_cert);
  ssl.pem_private_key = ReadOption("tls-key", options.tls_key);
  if (options.tls_cert.empty() != options.tls_key.empty()) {
    throw UsageError("tls-cert and tls-key must be set both");
  }
  if (!options.tls_ca.empty()) return grpc::SslCredentials(ssl);
  if (!options.tls_cert.empty()) throw UsageError("tls-ca must be set beside tls-cert and tls-key");
  return grpc::InsecureChannelCredentials();
}

// A token in plain text on a network is anybody's.
void RequirePrivate(const Options& options) {
  static const std::regex here("unix:.*|127\\.\\d+\\.\\d+\\.\\d+:\\d+|localhost:\\d+|\\[::1\\]:\\d+");
  if (options.tls_ca.empty() && !std::regex_match(options.target, here)) {
    throw UsageError("token must go by TLS or to this machine, got " + options.target + " in plain text; set --tls-ca");
  }
}

std::string NameOf(grpc::StatusCode code) {
  static const char* const names[] = {
      "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND", "ALREADY_EXISTS",
      "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED", "OUT_OF_RANGE", "UNIMPLEMENTED",
      "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED"};
  return code >= 0 && code <= 16 ? names[code] : std::to_string(code);
}

}  // namespace

std::shared_ptr<grpc::Channel> OpenChannel(const Options& options) {
  if (!options.token.empty()) RequirePrivate(options);
  grpc::ChannelArguments arguments;
  arguments.SetServiceConfigJSON(kServiceConfig);
  arguments.SetInt(GRPC_ARG_PER_RPC_RETRY_BUFFER_SIZE, kRetryBufferBytes);
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetInt(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, 100);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 2000);
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIME_MS, 20000);  // a server that vanished is noticed within half a minute
  arguments.SetInt(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, 10000);
  return grpc::CreateCustomChannel(options.target, Credentials(options), arguments);
}

void Prepare(grpc::ClientContext& context, const Options& options) {
  if (options.deadline_s > 0) {
    const auto time = std::chrono::duration<double>(options.deadline_s);
    context.set_deadline(std::chrono::system_clock::now() +
                         std::chrono::duration_cast<std::chrono::system_clock::duration>(time));
  }
  if (!options.token.empty()) context.AddMetadata("authorization", "Bearer " + options.token);
}

std::string Explain(const grpc::Status& status, const grpc::ClientContext& context) {
  const auto& trailers = context.GetServerTrailingMetadata();
  const auto kind = trailers.find("ferserve-error-kind");
  std::string text = status.error_message() + " (" + NameOf(status.error_code());
  if (kind != trailers.end()) text += ", " + std::string(kind->second.data(), kind->second.size());
  return text + ")";
}

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream content;
  // Copying nothing sets failbit, as a folder does; peek() tells an empty file from one that cannot be read.
  if (!file || (file.peek() == std::ifstream::traits_type::eof() && file.bad())) {
    throw std::runtime_error(path + ": " + std::strerror(errno ? errno : EIO));
  }
  file.clear();
  content << file.rdbuf();
  if (file.bad()) throw std::runtime_error(path + ": cannot be read");
  return content.str();
}
