#ifdef __cplusplus
extern "C" {
#endif

// A patrol_net is a network with its input and newest outputs. What OpenCV
// throws is caught: the functions that can fail set error, for free().
typedef struct patrol_net patrol_net;

patrol_net *patrol_net_open(const char *onnx, size_t size, int width, int height, char **error);
void patrol_net_close(patrol_net *net);
// Three planes of height × width numbers.
float *patrol_net_input(patrol_net *net);
// The number of outputs, or -1.
int patrol_net_run(patrol_net *net, char **error);
// Output i: its numbers, its name and its up to 8 dimensions, whose number is
// returned; -1 when it is no plain array of 32-bit floats.
int patrol_net_output(patrol_net *net, int i, float **data, const char **name, int *shape);

#ifdef __cplusplus
}
#endif
