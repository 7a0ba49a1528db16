package rtsp_test

import (
	"bytes"
	"flag"
	"fmt"
)

var updateStir = flag.Bool("update-stir", false, "write deploy/stir-roc.svg anew")

// rocPlot draws curves of the share of moved groups found over the share of
// quiet groups found.
type rocPlot struct{ lines, legend bytes.Buffer }

const plotLeft, plotTop, plotSize = 60, 20, 400

var plotColours = []string{"#1b6ca8", "#b3541e", "#5aa5d6", "#e29578", "#4f7942"}

func (p *rocPlot) add(name string, curve [][2]float64, colour int, dashed bool) {
	dash := ""
	if dashed {
		dash = ` stroke-dasharray="4 3"`
	}
	style := fmt.Sprintf(`fill="none" stroke="%s" stroke-width="1.8"%s`, plotColours[colour%len(plotColours)], dash)
	fmt.Fprintf(&p.lines, "<polyline %s points=\"", style)
	last := [2]float64{-1, -1}
	for i, c := range curve {
		if i < len(curve)-1 && c[0]-last[0] < 0.005 && c[1]-last[1] < 0.005 {
			continue // nobody sees it
		}
		if last = c; i > 0 {
			p.lines.WriteByte(' ')
		}
		fmt.Fprintf(&p.lines, "%.1f,%.1f", plotLeft+plotSize*c[0], plotTop+plotSize*(1-c[1]))
	}
	p.lines.WriteString("\"/>\n")
	y := plotTop + 10 + 20*bytes.Count(p.legend.Bytes(), []byte("<text"))
	fmt.Fprintf(&p.legend, "<polyline %s points=\"480,%d 510,%d\"/><text x=\"518\" y=\"%d\">%s</text>\n", style, y, y, y+4, name)
}

// svg is the picture.
func (p *rocPlot) svg() []byte {
	var b bytes.Buffer
	b.WriteString(`<svg xmlns="http://www.w3.org/2000/svg" width="900" height="480" font-family="sans-serif" font-size="12">` + "\n")
	b.WriteString(`<rect width="900" height="480" fill="#fff"/>` + "\n")
	for i := range 6 {
		v := float64(i) / 5
		x, y := plotLeft+plotSize*v, plotTop+plotSize*(1-v)
		fmt.Fprintf(&b, `<path d="M%.0f %d V%d M%d %.0f H%d" stroke="#ddd"/>`, x, plotTop, plotTop+plotSize, plotLeft, y, plotLeft+plotSize)
		fmt.Fprintf(&b, `<text x="%.0f" y="%d" text-anchor="middle">%.1f</text><text x="%d" y="%.0f" text-anchor="end">%.1f</text>`+"\n",
			x, plotTop+plotSize+18, v, plotLeft-8, y+4, v)
	}
	fmt.Fprintf(&b, `<text x="%d" y="%d" text-anchor="middle">quiet groups that score above the threshold</text>`+"\n", plotLeft+plotSize/2, plotTop+plotSize+40)
	fmt.Fprintf(&b, `<text transform="translate(16 %d) rotate(-90)" text-anchor="middle">groups with movement that do</text>`+"\n", plotTop+plotSize/2)
	b.Write(p.lines.Bytes())
	b.Write(p.legend.Bytes())
	b.WriteString("</svg>\n")
	return b.Bytes()
}
