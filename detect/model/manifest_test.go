package model_test

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"videopatrol/detect/model"
	"videopatrol/detect/model/modeltest"
)

const valid = `name: yard
sha256: 00000000000000000000000000000000000000000000000000000000000000aa
task: detect
input:
  width: 416
  height: 416
  channels: bgr
  fit: letterbox
  pad: 114
  scale: 1
output:
  layout: yolox
  strides: [8, 16, 32]
  score: 0.3
  overlap: 0.45
classes: [person, car]
licence: Apache-2.0
source: https://example.org/yard
`

func TestParse(t *testing.T) {
	m, err := model.Parse([]byte(valid))
	if err != nil || m.Name != "yard" || m.Input.Pad != 114 || len(m.Output.Strides) != 3 || m.Classes[1] != "car" {
		t.Fatalf("%+v, %v", m, err)
	}
	coco, err := model.Parse([]byte(strings.Replace(valid, "[person, car]", "coco", 1)))
	if err != nil || len(coco.Classes) != 80 || coco.Classes[79] != "toothbrush" {
		t.Errorf("%v, %v", coco.Classes, err)
	}
	for _, c := range []struct{ from, to, want string }{
		{valid, "", "empty"},
		{valid, "! 00000000000000000000", "[1:1]"},
		{"pad: 114", "padding: 114", `[9:3] unknown field "padding"`},
		{"width: 416", "width: wide", "[5:10]"},
		{"name: yard", "name: ../yard", "line 1, column 7: name"},
		{"aa\n", "AA\n", "line 2, column 9: sha256"},
		{"task: detect", "task: identify", "line 3, column 7: task"},
		{"task: detect", "task: classify", "line 3, column 7: task"},
		{"width: 416", "width: 9999", "line 5, column 10: input of 9999"},
		{"width: 416", "width: 415", "line 13, column 13: stride 8 does not divide"},
		{"bgr", "gbr", `line 7, column 13: channels "gbr"`},
		{"letterbox", "squeeze", "line 8, column 8: fit"},
		{"pad: 114", "pad: 300", "line 9, column 8: pad"},
		{"scale: 1", "scale: -1", "line 10, column 10: scale"},
		{"scale: 1", "scale: .nan", "line 10, column 10: scale"},
		{"scale: 1", "scale: 1\n  std: [1, 0, 1]", "line 11, column 12: std"},
		{"scale: 1", "scale: 1\n  mean: [1, 2]", "mean: 2 numbers"},
		{"yolox", "yolov99", "line 12, column 11: layout"},
		{"strides: [8, 16, 32]", "strides: []", "strides"},
		{"score: 0.3", "score: 0", "line 14, column 10: score"},
		{"overlap: 0.45", "overlap: 1", "line 15, column 12: overlap"},
		{"[person, car]", "[]", "0 classes"},
		{"[person, car]", "[person, person]", "line 16, column 19: class \"person\" is there twice"},
		{"[person, car]", "voc", "classes"},
		{"[person, car]", "[person, face]", `line 16, column 19: class "face" has the word "face"`},
		{"licence: Apache-2.0", "", "licence: say"},
		{"source: https://example.org/yard", "", "source: say"},
		{"name: yard", "name: yard\nurl: http://example.org/x.onnx", "only https://"},
	} {
		_, err := model.Parse([]byte(strings.Replace(valid, c.from, c.to, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v, want %q", c.to, err, c.want)
		}
	}
}

// A class list that could tell who somebody is, is refused, however it is
// written; one of things is not.
func TestClasses(t *testing.T) {
	refused := []string{
		"face", "Face", "human face", "faceMask_face", "FACE", "ｆａｃｅ", "f a c e s", "licence plate", "license-plate", "LicensePlate", "licenseplate",
		"car_plate", "number plate", "plate", "ANPR", "person_id", "head-id", "HeadID", "re-id", "reid", "personReID", "person reidentification",
		"identity", "wanted person", "suspect", "fingerprint", "iris", "gait", "gender", "person_17", "person 3", "face12", "0042", "17", "#5",
		"John Smith", "mary jones", "Zhang Wei", "li wang", "uyghur", "ethnicity",
		"人脸", "脸部", "人 脸", "车牌", "车牌号", "号牌", "身份证", "姓名", "重识别", "嫌疑人", "在逃人员", "重点人员", "张三", "王小明", "李先生", "行人12", "性别", "民族", "维吾尔族",
	}
	for _, class := range refused {
		_, err := model.Parse([]byte(strings.Replace(valid, "[person, car]", "[person, \""+class+"\"]", 1)))
		if !errors.Is(err, model.ErrIdentity) || !strings.Contains(err.Error(), "line 16, column 19") {
			t.Errorf("%q: %v", class, err)
		}
	}
	allowed := []string{
		"person", "head", "hard hat", "helmet", "no-helmet", "surface", "facade", "typeface wall", "template", "trolley", "fire", "smoke", "video", "idle car",
		"race car", "fire hydrant", "class 3 lorry", "truck 18t", "sidewalk", "Identical cones", "ruby", "rose bush", "paint", "street name sign board",
		"行人", "人头", "安全帽", "电动车", "火焰", "烟雾", "消防车", "黄灯", "马", "周界", "叉车", "高空抛物", "张贴的广告", "石头",
	}
	for _, class := range allowed {
		_, err := model.Parse([]byte(strings.Replace(valid, "[person, car]", "[\""+class+"\"]", 1)))
		if class == "street name sign board" {
			if !errors.Is(err, model.ErrIdentity) {
				t.Errorf("%q: %v: the word name is refused wherever it stands", class, err)
			}
		} else if err != nil {
			t.Errorf("%q: %v", class, err)
		}
	}
}

func TestKnown(t *testing.T) {
	var pulled []string
	for _, m := range model.Known() {
		if m.URL != "" {
			pulled = append(pulled, m.Name)
			if m.Size == 0 || !strings.HasSuffix(m.URL, ".onnx") {
				t.Errorf("%s cannot be pulled: size %d, %s", m.Name, m.Size, m.URL)
			}
		}
	}
	if want := []string{"nanodet-m-416", "yolox-s-640", "yolox-s-640-int8"}; !slices.Equal(pulled, want) {
		t.Errorf("%v can be pulled, want %v", pulled, want)
	}
}

func bound(onnx []byte) string {
	sum := sha256.Sum256(onnx)
	return strings.Replace(valid, strings.Repeat("0", 62)+"aa", hex.EncodeToString(sum[:]), 1)
}

func TestLoad(t *testing.T) {
	onnx := modeltest.Network("Relu", 416, 416)
	f, err := model.Load(modeltest.Write(t, onnx, bound(onnx)))
	if err != nil || f.Manifest.Name != "yard" || len(f.ONNX) != len(onnx) {
		t.Fatalf("%+v, %v", f.Manifest, err)
	}
	g, err := f.CheckGraph()
	if err != nil || g.Inputs[0].Name != "images" || !slices.Equal(g.Inputs[0].Shape, []int{1, 3, 416, 416}) || g.Outputs[0].Name != "out" || !slices.Equal(g.Operators, []string{"Relu"}) {
		t.Errorf("%+v, %v", g, err)
	}
	for name, c := range map[string]struct{ path, want string }{
		"absent":          {filepath.Join(t.TempDir(), "yard.onnx"), "no such file"},
		"another ending":  {"yard.pt", "ends with .onnx"},
		"empty":           {modeltest.Write(t, nil, valid), "is empty"},
		"no manifest":     {modeltest.Write(t, onnx, ""), "has no manifest: write"},
		"another digest":  {modeltest.Write(t, append(onnx, 0), bound(onnx)), "is not the file that its manifest describes"},
		"a bad manifest":  {modeltest.Write(t, onnx, "name: ["), "yard.yaml"},
		"faces":           {modeltest.Write(t, onnx, strings.Replace(bound(onnx), "car", "face", 1)), "never who"},
		"another's bytes": {modeltest.Write(t, onnx[1:], bound(onnx)), "is not the file"},
	} {
		if _, err := model.Load(c.path); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestCheckGraph(t *testing.T) {
	onnx := modeltest.Network("Relu", 416, 416)
	m, err := model.Parse([]byte(valid))
	if err != nil {
		t.Fatal(err)
	}
	wide := m
	wide.Input.Width = 640
	for name, c := range map[string]struct {
		f    model.File
		want string
	}{
		"cut short":     {model.File{Manifest: m, ONNX: onnx[:len(onnx)-3]}, "no ONNX file"},
		"text":          {model.File{Manifest: m, ONNX: []byte("<html>404</html>")}, "no ONNX file"},
		"nothing":       {model.File{Manifest: m}, "no ONNX file"},
		"another shape": {model.File{Manifest: wide, ONNX: onnx}, "has shape [1 3 416 416], and its manifest says [1 3 416 640]"},
	} {
		if _, err := c.f.CheckGraph(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzReadGraph(f *testing.F) {
	f.Add([]byte{0x3a, 0})
	f.Fuzz(func(_ *testing.T, b []byte) { _, _ = model.ReadGraph(b) })
}

func FuzzParse(f *testing.F) {
	f.Add(valid)
	f.Add("classes: [face]")
	f.Fuzz(func(t *testing.T, s string) {
		m, err := model.Parse([]byte(s))
		if err == nil && (m.Name == "" || len(m.Classes) == 0 || m.Input.Width < 32) {
			t.Errorf("%q is a manifest: %+v", s, m)
		}
	})
}
