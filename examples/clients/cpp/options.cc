#include "options.h"

#include <cmath>
#include <cstdlib>
#include <map>

namespace {

double Number(const std::string& name, const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0' || !(value >= 0) || !std::isfinite(value)) {
    throw UsageError(name + " must be a number from 0 on, got " + text);
  }
  return value;
}

}  // namespace

Options ParseOptions(int argc, char** argv) {
  Options options;
  if (const char* token = std::getenv("FERSERVE_TOKEN")) options.token = token;
  std::string fps = "25", deadline_s = "0";
  const std::map<std::string, std::string*> texts = {
      {"--target", &options.target},   {"--tls-ca", &options.tls_ca}, {"--tls-cert", &options.tls_cert},
      {"--tls-key", &options.tls_key}, {"--token", &options.token},   {"--model", &options.model},
      {"--fps", &fps},                 {"--deadline-s", &deadline_s}};
  std::vector<std::string> words;
  bool only_words = false;  // behind "--"
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    if (word == "--" && !only_words) {
      only_words = true;
      continue;
    }
    if (only_words || word.rfind("--", 0) != 0) {
      words.push_back(word);
      continue;
    }
    const auto text = texts.find(word);
    if (text == texts.end()) throw UsageError("option must be one of those in docs/clients.md, got " + word);
    if (++i == argc) throw UsageError(word + " must have a value, got none");
    *text->second = argv[i];
  }
  const bool fits = words.size() > 1 && (words[0] == "classify" || (words[0] == "stream" && words.size() == 2));
  if (!fits) {
    throw UsageError("usage: ferserve_client classify FILE... | stream FOLDER [--target HOST:PORT]");
  }
  options.command = words[0];
  options.inputs.assign(words.begin() + 1, words.end());
  options.fps = Number("fps", fps);
  options.deadline_s = Number("deadline-s", deadline_s);
  if (options.fps == 0) throw UsageError("fps must be greater than 0, got 0");
  return options;
}
