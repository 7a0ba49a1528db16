#include <opencv2/core/utility.hpp>

extern "C" void patrol_one_thread(void) { cv::setNumThreads(1); }
