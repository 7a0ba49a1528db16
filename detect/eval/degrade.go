package eval

import (
	"fmt"
	"strconv"
	"strings"
)

// Degradation is one way to make a clip worse, at three strengths. Its filters
// are ffmpeg's; in them
//
//	@ON   enables a filter while the picture is to be worse,
//	@IN   is 1 while it is, else 0, in expressions,
//	@1 …  are the parameters of the strength.
type Degradation struct {
	Name string
	// Fault is the scene fault that it is, from strength 1 up; "" where the
	// picture is worse but still to be trusted.
	Fault string
	// Base is what every sample goes through, also before and after.
	Base string
	// Filter works on the samples, Encode on the clip before samples are taken.
	Filter   string
	Encode   []string
	Strength [3][]string
	// Freeze holds the last sample for the time.
	Freeze bool
	// Shifts: zones drawn on the picture do not fit while it is worse.
	Shifts bool
	// What it stands for, and what the strengths mean.
	Notes string
}

// Degradations lists every one. Strength 1 is where an operator would begin to
// call it a fault; those without a fault stay below that at strength 3.
func Degradations() []Degradation {
	return []Degradation{
		{
			Name: "dark", Fault: "dark", Filter: "lutyuv=y='16+(val-16)*@1':u='128+(val-128)*@1':v='128+(val-128)*@1':enable=@ON,noise=c0s=@2:c0f=t:enable=@ON",
			Strength: [3][]string{{"0.08", "4"}, {"0.04", "3"}, {"0.01", "2"}},
			Notes:    "night without any lamp: 8, 4, 1 % of the light, with sensor noise",
		},
		{
			Name: "bright", Fault: "bright", Filter: "lutyuv=y='235-(235-val)*@1':u='128+(val-128)*@1':v='128+(val-128)*@1':enable=@ON,noise=c0s=2:c0f=t:enable=@ON",
			Strength: [3][]string{{"0.15"}, {"0.08"}, {"0.03"}},
			Notes:    "over-exposed: 15, 8, 3 % of the contrast left below white",
		},
		{
			Name: "blurred", Fault: "blurred", Filter: "gblur=sigma=@1:steps=3:enable=@ON,noise=c0s=2:c0f=t:enable=@ON",
			Strength: [3][]string{{"6"}, {"10"}, {"16"}},
			Notes:    "out of focus: Gaussian of 6, 10, 16 pixels on a picture 640 wide; a face of 40 pixels is a smear at 6",
		},
		{
			Name: "covered", Fault: "covered", Filter: "drawbox=x=0:y=0:w='iw*@1':h=ih:c=@2:t=fill:enable=@ON,noise=c0s=3:c0f=t:enable=@ON",
			Strength: [3][]string{{"0.55", "0x303030"}, {"0.8", "0x555048"}, {"1", "0x6a6a6a"}},
			Notes:    "something hangs before the lens: 55, 80, 100 % of the picture",
		},
		{
			Name: "moved", Fault: "moved", Base: "crop=w='2*trunc(iw*0.4)':h='2*trunc(ih*0.4)':x='iw*(0.02+@1*@IN)':y='ih*(0.02+@2*@IN)'", Shifts: true,
			Strength: [3][]string{{"0.05", "0.02"}, {"0.1", "0.05"}, {"0.17", "0.12"}},
			Notes:    "knocked or turned: the view shifts by 6, 13, 21 % of its width and 3, 6, 15 % of its height",
		},
		{
			Name: "frozen", Fault: "frozen", Freeze: true,
			Filter:   `drawtext=text='%{pts\:hms}':x=w*0.66:y=h*0.03:fontsize=h*0.05:fontcolor=white:box=1:boxcolor=black:enable='@IN*@1',noise=c0s=1:c0f=t:enable='@IN*@2'`,
			Strength: [3][]string{{"0", "0"}, {"1", "0"}, {"1", "1"}},
			Notes:    "the picture stands: to the bit; with a running clock drawn on it; with that and coding noise of one step",
		},
		{
			Name: "tinted", Fault: "tinted", Filter: "lutyuv=u='clip(val+@1,16,240)':v='clip(val+@2,16,240)':enable=@ON",
			Strength: [3][]string{{"-24", "28"}, {"38", "-30"}, {"-60", "60"}},
			Notes:    "colour cast: orange, blue, deep orange, by 37, 48, 85 chroma steps",
		},
		{
			Name: "noisy", Fault: "noisy", Filter: "noise=alls=@1:allf=t:enable=@ON",
			Strength: [3][]string{{"45"}, {"70"}, {"100"}},
			Notes:    "snow: ffmpeg's noise at 45, 70, 100",
		},
		{
			Name: "torn", Fault: "torn", Filter: "split[a][b];[b]scroll=h=0.37,crop=w=iw:h='2*trunc(ih*@1/2)':x=0:y='ih-oh'[c];[a][c]overlay=x=0:y='H-h':enable=@ON",
			Strength: [3][]string{{"0.3"}, {"0.5"}, {"0.8"}},
			Notes:    "the lower 30, 50, 80 % of each picture are displaced sideways, elsewhere each time",
		},
		{
			Name: "fog", Filter: "gblur=sigma=1:enable=@ON,lutyuv=y='170+(val-170)*@1':u='128+(val-128)*@1':v='128+(val-128)*@1':enable=@ON,noise=c0s=2:c0f=t:enable=@ON",
			Strength: [3][]string{{"0.75"}, {"0.55"}, {"0.4"}},
			Notes:    "haze to fog: 75, 55, 40 % of the contrast; an operator still sees what happens",
		},
		{
			Name: "rain", Filter: "noise=c0s=@1:c0f=t:enable=@ON,avgblur=sizeX=1:sizeY=@2:planes=1:enable=@ON,eq=contrast=@3:enable=@ON",
			Strength: [3][]string{{"25", "2", "0.95"}, {"45", "3", "0.9"}, {"70", "4", "0.85"}},
			Notes:    "streaks from top to bottom over a paler picture, drawn anew each time",
		},
		{
			Name: "dusk", Filter: "lutyuv=y='16+(val-16)*@1':u='128+(val-128)*@1':v='128+(val-128)*@1':enable=@ON,noise=c0s=@2:c0f=t:enable=@ON",
			Strength: [3][]string{{"0.6", "3"}, {"0.4", "4"}, {"0.28", "5"}},
			Notes:    "60, 40, 28 % of the light, with the noise that comes with it",
		},
		{
			Name: "infrared", Filter: "hue=s=0:enable=@ON,eq=contrast=@1:brightness=@2:enable=@ON,noise=c0s=@3:c0f=t:enable=@ON",
			Strength: [3][]string{{"1", "0", "3"}, {"1.1", "-0.05", "5"}, {"1.2", "-0.1", "7"}},
			Notes:    "the switch to infrared: no colour, harder contrast, more noise",
		},
		{
			Name: "low_bitrate", Encode: []string{"-c:v", "libx264", "-preset", "veryfast", "-b:v", "@1", "-maxrate", "@1", "-bufsize", "@1", "-g", "50"},
			Strength: [3][]string{{"150k"}, {"80k"}, {"40k"}},
			Notes:    "encoded again at 150, 80, 40 kbit/s, as over a bad uplink",
		},
	}
}

// fill puts the parameters of a strength (1..3) and the time from..to, in
// seconds, into a filter.
func (d Degradation) fill(text string, strength int, from, to float64) string {
	in := fmt.Sprintf("between(t,%s,%s)", number(from), number(to))
	text = strings.ReplaceAll(text, "@ON", "'"+in+"'")
	text = strings.ReplaceAll(text, "@IN", in)
	for i, p := range d.Strength[strength-1] {
		text = strings.ReplaceAll(text, "@"+strconv.Itoa(i+1), p)
	}
	return text
}

func number(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
