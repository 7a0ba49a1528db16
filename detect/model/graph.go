package model

import (
	"errors"
	"fmt"
	"slices"

	"google.golang.org/protobuf/encoding/protowire"
)

// Graph is what an ONNX file says of itself.
type Graph struct {
	Inputs, Outputs []Value
	// Operators are the kinds of its nodes, sorted.
	Operators []string
}

// Value is an input or output of a network.
type Value struct {
	Name string `json:"name"`
	// Shape are its dimensions; 0 is one that the file leaves open.
	Shape []int `json:"shape"`
	// Float tells whether its numbers are 32-bit floats.
	Float bool `json:"float"`
}

// errNotONNX is a file that is not what its name says.
var errNotONNX = errors.New("this is no ONNX file, or a damaged one")

// Field numbers of onnx.proto.
const (
	modelGraph       = 7
	graphNode        = 1
	graphInitializer = 5
	graphInput       = 11
	graphOutput      = 12
	nodeOperator     = 4
	tensorName       = 8
	valueName        = 1
	valueType        = 2
	typeTensor       = 1
	tensorElement    = 1
	tensorShape      = 2
	dimensionValue   = 1

	elementFloat = 1
)

// ReadGraph reads what goes in and out of a network, before any library does.
func ReadGraph(onnx []byte) (Graph, error) {
	graph, err := descend(onnx, modelGraph)
	if err != nil {
		return Graph{}, err
	}
	var g Graph
	weights := map[string]bool{}
	for _, f := range graph {
		switch f.n {
		case graphNode:
			op, err := textOf(f.bytes, nodeOperator)
			if err != nil {
				return Graph{}, err
			}
			if !slices.Contains(g.Operators, op) {
				g.Operators = append(g.Operators, op)
			}
		case graphInitializer:
			name, err := textOf(f.bytes, tensorName)
			if err != nil {
				return Graph{}, err
			}
			weights[name] = true
		case graphInput, graphOutput:
			v, err := readValue(f.bytes)
			if err != nil {
				return Graph{}, err
			}
			if f.n == graphInput {
				g.Inputs = append(g.Inputs, v)
			} else {
				g.Outputs = append(g.Outputs, v)
			}
		}
	}
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v Value) bool { return weights[v.Name] })
	if len(g.Operators) == 0 || len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		return Graph{}, errNotONNX
	}
	slices.Sort(g.Operators)
	return g, nil
}

func readValue(b []byte) (Value, error) {
	name, err := textOf(b, valueName)
	if err != nil {
		return Value{}, err
	}
	v := Value{Name: name}
	tensor, err := descend(b, valueType, typeTensor)
	if err != nil {
		return v, err
	}
	for _, f := range tensor {
		switch f.n {
		case tensorElement:
			v.Float = f.number == elementFloat
		case tensorShape:
			shape, err := parse(f.bytes)
			if err != nil {
				return v, err
			}
			for _, d := range shape {
				dimension, err := parse(d.bytes)
				if err != nil {
					return v, err
				}
				size := 0
				for _, x := range dimension {
					if x.n == dimensionValue && x.number < 1<<31 {
						size = int(x.number)
					}
				}
				v.Shape = append(v.Shape, size)
			}
		}
	}
	return v, nil
}

// A field of a message is its bytes or its number.
type field struct {
	n      int
	bytes  []byte
	number uint64
}

// parse returns the fields of a message.
func parse(b []byte) ([]field, error) {
	var all []field
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return nil, errNotONNX
		}
		b = b[size:]
		f := field{n: int(n)}
		switch kind {
		case protowire.BytesType:
			f.bytes, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			f.number, size = protowire.ConsumeVarint(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			return nil, errNotONNX
		}
		b = b[size:]
		all = append(all, f)
	}
	return all, nil
}

// descend returns the fields of a message within messages; none when it is
// not there.
func descend(b []byte, path ...int) ([]field, error) {
	for _, n := range path {
		all, err := parse(b)
		if err != nil {
			return nil, err
		}
		i := slices.IndexFunc(all, func(f field) bool { return f.n == n })
		if i < 0 {
			return nil, nil
		}
		b = all[i].bytes
	}
	return parse(b)
}

// textOf returns a text field of a message; "" when it is not there.
func textOf(b []byte, n int) (string, error) {
	all, err := parse(b)
	if err != nil {
		return "", err
	}
	i := slices.IndexFunc(all, func(f field) bool { return f.n == n })
	if i < 0 {
		return "", nil
	}
	return string(all[i].bytes), nil
}

// CheckGraph tells whether a model's file takes what its manifest says, and
// returns what the file says of itself.
func (f File) CheckGraph() (Graph, error) {
	g, err := ReadGraph(f.ONNX)
	if err != nil {
		return g, err
	}
	if len(g.Inputs) != 1 {
		return g, fmt.Errorf("the network has %d inputs, want 1", len(g.Inputs))
	}
	in, want := g.Inputs[0], []int{1, 3, f.Manifest.Input.Height, f.Manifest.Input.Width}
	fits := in.Float && len(in.Shape) == len(want)
	for i := range in.Shape {
		fits = fits && (in.Shape[i] == 0 || in.Shape[i] == want[i])
	}
	if !fits {
		return g, fmt.Errorf("the network's input %q has shape %v, and its manifest says %v, 32-bit floats", in.Name, in.Shape, want)
	}
	return g, nil
}
