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
	shapeDimension   = 1
	dimensionValue   = 1

	elementFloat = 1
)

// ReadGraph reads what goes in and out of a network, before any library does.
func ReadGraph(onnx []byte) (Graph, error) {
	var g Graph
	found := false
	weights := map[string]bool{}
	err := fields(onnx, func(n protowire.Number, b []byte, _ uint64) error {
		if n != modelGraph {
			return nil
		}
		found = true
		return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
			switch n {
			case graphNode:
				return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
					if op := string(b); n == nodeOperator && !slices.Contains(g.Operators, op) {
						g.Operators = append(g.Operators, op)
					}
					return nil
				})
			case graphInitializer:
				return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
					if n == tensorName {
						weights[string(b)] = true
					}
					return nil
				})
			case graphInput, graphOutput:
				v, err := readValue(b)
				if n == graphInput {
					g.Inputs = append(g.Inputs, v)
				} else {
					g.Outputs = append(g.Outputs, v)
				}
				return err
			}
			return nil
		})
	})
	if err != nil {
		return Graph{}, err
	}
	g.Inputs = slices.DeleteFunc(g.Inputs, func(v Value) bool { return weights[v.Name] })
	if !found || len(g.Operators) == 0 || len(g.Inputs) == 0 || len(g.Outputs) == 0 {
		return Graph{}, errNotONNX
	}
	slices.Sort(g.Operators)
	return g, nil
}

func readValue(b []byte) (v Value, err error) {
	err = fields(b, func(n protowire.Number, b []byte, _ uint64) error {
		switch n {
		case valueName:
			v.Name = string(b)
		case valueType:
			return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
				if n != typeTensor {
					return nil
				}
				return fields(b, func(n protowire.Number, b []byte, x uint64) error {
					switch n {
					case tensorElement:
						v.Float = x == elementFloat
					case tensorShape:
						return fields(b, func(n protowire.Number, b []byte, _ uint64) error {
							if n != shapeDimension {
								return nil
							}
							d := 0
							err := fields(b, func(n protowire.Number, _ []byte, x uint64) error {
								if n == dimensionValue && x < 1<<31 {
									d = int(x)
								}
								return nil
							})
							v.Shape = append(v.Shape, d)
							return err
						})
					}
					return nil
				})
			})
		}
		return nil
	})
	return v, err
}

// fields calls each with every field of a message: its bytes, or its number.
func fields(b []byte, each func(n protowire.Number, b []byte, x uint64) error) error {
	for len(b) > 0 {
		n, kind, size := protowire.ConsumeTag(b)
		if size < 0 {
			return errNotONNX
		}
		b = b[size:]
		var value []byte
		var x uint64
		switch kind {
		case protowire.BytesType:
			value, size = protowire.ConsumeBytes(b)
		case protowire.VarintType:
			x, size = protowire.ConsumeVarint(b)
		default:
			size = protowire.ConsumeFieldValue(n, kind, b)
		}
		if size < 0 {
			return errNotONNX
		}
		b = b[size:]
		if err := each(n, value, x); err != nil {
			return err
		}
	}
	return nil
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
