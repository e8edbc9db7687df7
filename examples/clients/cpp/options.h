// The command line.
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

// A mistake on the command line; the message is one line for the user.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

struct Options {
  std::string command;
  std::vector<std::string> inputs;
  std::string target = "127.0.0.1:50051";
  std::string tls_ca, tls_cert, tls_key;
  std::string token;      // FERSERVE_TOKEN unless --token says otherwise
  std::string model;      // empty: the server's default
  double fps = 25;        // pictures per second of a folder
  double deadline_s = 0;  // of a whole call; 0: none
};

Options ParseOptions(int argc, char** argv);
