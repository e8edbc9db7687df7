// The connection to a ferserve server: TLS, token, deadline, retries.
#pragma once

#include <grpcpp/grpcpp.h>

#include <memory>
#include <string>

#include "options.h"

std::shared_ptr<grpc::Channel> OpenChannel(const Options& options);

// Deadline and token of a new call.
void Prepare(grpc::ClientContext& context, const Options& options);

// One line for a call that failed: what the server said, its status, and the kind of the error, which programs can rely on.
std::string Explain(const grpc::Status& status, const grpc::ClientContext& context);

// The bytes of a file; throws std::runtime_error if it cannot be read.
std::string ReadFile(const std::string& path);
