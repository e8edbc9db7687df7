// Sends pictures to a ferserve server and prints a line per face; docs/clients.md describes it.
//
//   ferserve_client classify photo.jpg [options]   one call per picture, tried again if the server is away
//   ferserve_client stream FOLDER [options]        the pictures of a folder as a video, in order of their names
#include <signal.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <exception>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>

#include "connection.h"
#include "ferserve/v1/emotion.grpc.pb.h"

namespace fs = std::filesystem;
namespace v1 = ferserve::v1;

namespace {

enum Exit { kDone = 0, kSomeFailed = 1, kNoServerOrUsage = 2, kInterrupted = 130 };

// Cancels the call that is under way on Ctrl-C. A signal handler may not call gRPC, so a thread waits for the signal.
class Interrupt {
 public:
  Interrupt() {
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    pthread_sigmask(SIG_BLOCK, &signals, nullptr);  // before gRPC starts threads, which inherit it
    std::thread([this, signals] {
      int signal = 0;
      sigwait(&signals, &signal);
      std::lock_guard<std::mutex> lock(mutex_);
      asked_ = true;
      if (context_) context_->TryCancel();
    }).detach();
  }
  void Watch(grpc::ClientContext* context) {
    std::lock_guard<std::mutex> lock(mutex_);
    context_ = context;
    if (asked_ && context_) context_->TryCancel();
  }
  bool asked() const { return asked_; }

 private:
  std::mutex mutex_;
  std::atomic<bool> asked_{false};
  grpc::ClientContext* context_ = nullptr;
};

// Prints one result; returns whether the picture was classified.
bool Print(const std::string& name, const v1::FrameResult& result) {
  if (result.has_fault()) {
    std::fprintf(stderr, "%s: %s (%s)\n", name.c_str(), result.fault().message().c_str(), result.fault().code().c_str());
    return false;
  }
  if (result.has_dropped()) {
    const auto& reason = v1::Dropped::Reason_Name(result.dropped().reason());
    std::fprintf(stderr, "%s: dropped, %s\n", name.c_str(), reason.c_str());
    return false;
  }
  if (result.faces().faces().empty()) std::printf("%s\tno face\n", name.c_str());
  for (const auto& face : result.faces().faces()) {
    const auto& head = face.heads(0);
    const std::string emotion = head.label() + (face.sure() ? "" : " (not sure)");
    std::printf("%s\tface %llu\t%s\t%.2f\t%ld,%ld,%ld,%ld\n", name.c_str(),
                static_cast<unsigned long long>(face.track_id()), emotion.c_str(), head.confidence(),
                std::lround(face.box().x0()), std::lround(face.box().y0()), std::lround(face.box().x1()),
                std::lround(face.box().y1()));
  }
  std::fflush(stdout);
  return true;
}

// One unary call; returns whether the picture was classified. What went wrong is told.
bool ClassifyOne(v1::EmotionService::Stub& stub, const std::string& name, const Options& options, Interrupt& interrupt) {
  v1::ClassifyRequest request;
  try {
    request.mutable_frame()->set_encoded(ReadFile(name));
  } catch (const std::runtime_error& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return false;
  }
  request.mutable_options()->set_model(options.model);
  v1::ClassifyResponse response;
  grpc::ClientContext context;
  Prepare(context, options);
  interrupt.Watch(&context);
  const auto status = stub.Classify(&context, request, &response);
  interrupt.Watch(nullptr);
  if (status.ok()) return Print(name, response.result());
  if (!interrupt.asked()) std::fprintf(stderr, "%s: %s\n", name.c_str(), Explain(status, context).c_str());
  return false;
}

// One call per picture; a picture that failed is told and the others go on.
int Classify(v1::EmotionService::Stub& stub, const Options& options, Interrupt& interrupt) {
  bool failed = false;
  for (const auto& name : options.inputs) {
    failed = !ClassifyOne(stub, name, options, interrupt) || failed;
    if (interrupt.asked()) return kInterrupted;
  }
  return failed ? kSomeFailed : kDone;
}

std::vector<std::string> PicturesOf(const std::string& folder) {
  static const std::set<std::string> suffixes = {".jpg", ".jpeg", ".png", ".webp", ".bmp", ".gif", ".tif", ".tiff"};
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder)) {
    auto suffix = entry.path().extension().string();
    std::transform(suffix.begin(), suffix.end(), suffix.begin(), [](unsigned char c) { return std::tolower(c); });
    if (suffixes.count(suffix)) names.push_back(entry.path().filename().string());
  }
  if (names.empty()) throw UsageError(folder + " must hold pictures, got none");
  std::sort(names.begin(), names.end());
  return names;
}

using Call = grpc::ClientReaderWriter<v1::ClassifyStreamRequest, v1::ClassifyStreamResponse>;

// Sends the config and one frame per file; Write blocks while the server takes no more. A file that cannot be read is
// told and left out; ids may have gaps.
void Send(Call& call, const std::string& folder, const std::vector<std::string>& names, const Options& options) {
  v1::ClassifyStreamRequest first;
  first.mutable_config()->mutable_options()->set_model(options.model);
  first.mutable_config()->set_delivery(v1::DELIVERY_EVERY);
  bool open = call.Write(first);
  for (std::size_t i = 0; open && i < names.size(); ++i) {
    v1::ClassifyStreamRequest request;
    auto& frame = *request.mutable_frame();
    frame.set_frame_id(i + 1);
    frame.set_capture_time_ns(std::llround((i + 1) / options.fps * 1e9));  // 0 would mean that it is not known
    try {
      frame.set_encoded(ReadFile((fs::path(folder) / names[i]).string()));
    } catch (const std::runtime_error& error) {
      std::fprintf(stderr, "%s\n", error.what());
      continue;
    }
    open = call.Write(request);
  }
  call.WritesDone();  // the answers that are due still come
}

// A stream: every frame gets one answer, in order; a frame at fault does not end it.
int Stream(v1::EmotionService::Stub& stub, const Options& options, Interrupt& interrupt) {
  const auto& folder = options.inputs[0];
  const auto names = PicturesOf(folder);
  grpc::ClientContext context;
  Prepare(context, options);
  interrupt.Watch(&context);
  const auto call = stub.ClassifyStream(&context);
  std::thread sender([&] { Send(*call, folder, names, options); });
  v1::ClassifyStreamResponse response;
  std::size_t answered = 0;
  bool failed = false;
  while (call->Read(&response)) {
    if (!response.has_result()) continue;
    ++answered;
    failed = !Print(names.at(response.result().frame_id() - 1), response.result()) || failed;
  }
  sender.join();
  const auto status = call->Finish();
  interrupt.Watch(nullptr);
  if (interrupt.asked()) return kInterrupted;
  if (!status.ok()) {
    std::fprintf(stderr, "%s: %s; %zu of %zu pictures were answered\n", folder.c_str(), Explain(status, context).c_str(),
                 answered, names.size());
    return answered ? kSomeFailed : kNoServerOrUsage;
  }
  return failed || answered < names.size() ? kSomeFailed : kDone;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    const auto options = ParseOptions(argc, argv);
    auto& interrupt = *new Interrupt;  // its thread may outlive this function
    const auto stub = v1::EmotionService::NewStub(OpenChannel(options));
    return (options.command == "stream" ? Stream : Classify)(*stub, options, interrupt);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return kNoServerOrUsage;
  }
}
