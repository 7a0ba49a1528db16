package rtsp

// qpReader reads the quantisation parameter of slices.
type qpReader struct{}

func newQPReader(bool) *qpReader { return &qpReader{} }

func (q *qpReader) setParams([][]byte, [][]byte) {}

func (q *qpReader) qp([]byte) (int, bool) { return 0, false }
