#include <cstdlib>
#include <cstring>
#include <opencv2/core/utils/logger.hpp>
#include <opencv2/dnn.hpp>
#include "dnn.h"

struct patrol_net {
	cv::dnn::Net net;
	cv::Mat input;
	std::vector<cv::String> names;
	std::vector<cv::Mat> outputs;
};

// No exception may leave C++: it would end the process.
template <typename F> static bool caught(char **error, F f) {
	try {
		f();
		return false;
	} catch (const std::exception &e) {
		*error = strdup(e.what());
	} catch (...) {
		*error = strdup("an exception without words");
	}
	return true;
}

extern "C" patrol_net *patrol_net_open(const char *onnx, size_t size, int width, int height, char **error) {
	patrol_net *n = nullptr;
	if (caught(error, [&] {
		// What is printed of a refused model is in the exception too.
		cv::utils::logging::setLogLevel(cv::utils::logging::LOG_LEVEL_FATAL);
		n = new patrol_net;
		n->net = cv::dnn::readNetFromONNX(onnx, size);
		n->net.setPreferableBackend(cv::dnn::DNN_BACKEND_OPENCV);
		n->net.setPreferableTarget(cv::dnn::DNN_TARGET_CPU);
		n->names = n->net.getUnconnectedOutLayersNames();
		const int shape[] = {1, 3, height, width};
		n->input = cv::Mat::zeros(4, shape, CV_32F);
	})) {
		delete n;
		return nullptr;
	}
	return n;
}

extern "C" void patrol_net_close(patrol_net *n) { delete n; }

extern "C" float *patrol_net_input(patrol_net *n) { return n->input.ptr<float>(); }

extern "C" int patrol_net_run(patrol_net *n, char **error) {
	if (caught(error, [&] {
		n->net.setInput(n->input);
		n->net.forward(n->outputs, n->names);
	})) {
		return -1;
	}
	return (int)n->outputs.size();
}

extern "C" int patrol_net_output(patrol_net *n, int i, float **data, const char **name, int *shape) {
	cv::Mat &m = n->outputs[i];
	if (m.type() != CV_32F || !m.isContinuous() || m.dims > 8) {
		return -1;
	}
	*data = m.ptr<float>();
	*name = n->names[i].c_str();
	for (int d = 0; d < m.dims; d++) {
		shape[d] = m.size[d];
	}
	return m.dims;
}
