// Package degrade disturbs good footage as cameras and weather do, by filters
// of ffmpeg, at three stated strengths: for tests and accuracy reports alone.
package degrade

import "fmt"

// Kind is a way to disturb a picture.
type Kind string

// What an operator calls a fault, from strength 1 up. The first nine words are
// those of detect.Fault; Clock is Frozen with a clock that goes on, Part and
// Whole are Covered.
const (
	Frozen  Kind = "frozen"
	Clock   Kind = "clock"
	Dark    Kind = "dark"
	Bright  Kind = "bright"
	Blurred Kind = "blurred"
	Whole   Kind = "covered-whole"
	Part    Kind = "covered-part"
	Moved   Kind = "moved"
	Turned  Kind = "turned" // moved about the optical axis
	Tinted  Kind = "tinted"
	Noisy   Kind = "noisy"
	Torn    Kind = "torn"
)

// What is no fault, at any strength.
const (
	Fog       Kind = "fog"
	Rain      Kind = "rain"
	Dusk      Kind = "dusk"
	Lamplight Kind = "lamplight" // warm artificial light
	Headlight Kind = "headlight"
	Infrared  Kind = "infrared"
	Exposure  Kind = "exposure"
	Truck     Kind = "truck" // fills half of the view, for one or two samples
	Shake     Kind = "shake"
)

// Faults lists the kinds that are faults.
func Faults() []Kind {
	return []Kind{Frozen, Clock, Dark, Bright, Blurred, Whole, Part, Moved, Turned, Tinted, Noisy, Torn}
}

// Harmless lists the kinds that are none.
func Harmless() []Kind {
	return []Kind{Fog, Rain, Dusk, Lamplight, Headlight, Infrared, Exposure, Truck, Shake}
}

// Strengths are the strengths of every kind, 1 being what an operator just
// calls a fault. Strength 0 is the undisturbed picture to compare with: of
// Moved and Turned it is a part of the footage, because the rest is what they
// turn to.
func Strengths() []int { return []int{1, 2, 3} }

// Filter returns the ffmpeg filter (for -vf) that disturbs footage. Of a
// frozen kind the footage that goes in should begin where the picture froze.
// It keeps the picture's size in whole pairs of pixels but for Moved and
// Turned, whose pictures must be scaled.
func Filter(kind Kind, strength int) string {
	if strength < 0 || strength > 3 {
		panic(fmt.Sprintf("degrade: strength %d: want 0..3", strength))
	}
	if strength == 0 {
		switch kind {
		case Moved:
			return window(0, 0)
		case Turned:
			return "crop=iw*0.75:ih*0.75"
		default:
			return "null"
		}
	}
	of := func(v ...float64) float64 { return v[strength-1] }
	text := func(v ...string) string { return v[strength-1] }
	switch kind {
	case Frozen:
		return "loop=loop=-1:size=1:start=0"
	case Clock: // digits in a corner, over 4 to 6 % of the height
		return fmt.Sprintf("loop=loop=-1:size=1:start=0,setpts=N/25/TB,geq=lum='if(lt(Y,H*%g)*gt(Y,H*0.01)*lt(X,W*0.4),16+mod(floor(X/6)*37+floor(Y/4)*11+N*53,220),lum(X,Y))':cb='cb(X,Y)':cr='cr(X,Y)'",
			of(0.05, 0.06, 0.07))
	case Dark:
		return fmt.Sprintf("lutyuv=y='16+(val-16)*%g',noise=c0s=2:c0f=t", of(0.06, 0.04, 0.015))
	case Bright:
		return fmt.Sprintf("lutyuv=y='min(235,16+(val-16)*%g+%g)':u='128+(val-128)*0.6':v='128+(val-128)*0.6'", of(3, 4, 6), of(60, 80, 110))
	case Blurred:
		return fmt.Sprintf("gblur=sigma=%g:steps=3", of(4, 7, 12))
	case Whole: // a hand, a cloth, a bag
		return fmt.Sprintf("gblur=sigma=60:steps=3,lutyuv=y='%g+(val-128)*0.12',noise=c0s=4:c0f=t", of(120, 70, 40))
	case Part:
		return fmt.Sprintf("drawbox=x=0:y=0:w=iw*%g:h=ih:c=%s:t=fill,noise=c0s=3:c0f=t", of(0.45, 0.6, 0.8), text("0x6b5a4a", "0x303030", "0x8c8c80"))
	case Moved:
		return window(of(0.06, 0.15, 0.3), of(0.04, 0.1, 0.25))
	case Turned:
		return fmt.Sprintf("rotate=%g*PI/180,crop=iw*0.75:ih*0.75", of(6, 10, 16))
	case Tinted:
		return fmt.Sprintf("lutyuv=u='val+%g':v='val+%g'", of(18, -20, -38), of(22, -24, 30))
	case Noisy:
		return fmt.Sprintf("noise=c0s=%[1]g:c1s=%[2]g:c2s=%[2]g:allf=t", of(28, 45, 80), of(8, 14, 25))
	case Torn: // rows of the sensor come displaced
		return fmt.Sprintf("geq=lum='lum(mod(X+%[1]s*W,W),Y)':cb='cb(mod(X+%[1]s*W,W),Y)':cr='cr(mod(X+%[1]s*W,W),Y)'", text(
			"if(gt(Y/H,0.6),0.14,0)",
			"if(gt(Y/H,0.3)*lt(Y/H,0.55),0.2,if(gt(Y/H,0.7),0.31,0))",
			"mod(floor(Y/H*8)*0.37,0.45)"))
	case Fog:
		return fmt.Sprintf("lutyuv=y='val*%[1]g+%[2]g':u='128+(val-128)*%[1]g':v='128+(val-128)*%[1]g',noise=c0s=3:c0f=t", of(0.6, 0.35, 0.18), of(0.4*175, 0.65*175, 0.82*175))
	case Rain: // streaks, and a grey veil
		return fmt.Sprintf("geq=lum='0.85*lum(X,Y)+24+if(lt(mod(X*7919+floor((Y+N*61)/26)*104729+N*7907,1000),%g),45,0)':cb='cb(X,Y)':cr='cr(X,Y)'", of(8, 20, 40))
	case Dusk:
		return fmt.Sprintf("lutyuv=y='16+(val-16)*%g':u='128+(val-128)*0.7':v='128+(val-128)*0.7',noise=c0s=5:c0f=t", of(0.6, 0.4, 0.28))
	case Lamplight:
		return fmt.Sprintf("lutyuv=y='16+(val-16)*%g':u='val-%g':v='val+%g'", of(0.5, 0.4, 0.35), of(8, 14, 20), of(6, 11, 15))
	case Headlight: // two beams of a car that comes and goes
		return fmt.Sprintf("geq=lum='min(235,16+(lum(X,Y)-16)*0.4+%g*(exp(-(pow(X/W-0.35-0.1*mod(N,4),2)+pow(Y/H-0.6,2))*60)+exp(-(pow(X/W-0.45-0.1*mod(N,4),2)+pow(Y/H-0.6,2))*60)))':cb='cb(X,Y)':cr='cr(X,Y)'", of(120, 200, 350))
	case Infrared: // grey, lit from the camera, foliage and skin pale
		return fmt.Sprintf("hue=s=0,vignette=angle=PI/%g,lutyuv=y='16+(val-16)*%g',noise=c0s=8:c0f=t", of(6, 5, 4), of(0.9, 0.75, 0.6))
	case Exposure:
		return fmt.Sprintf("lutyuv=y='clip(16+(val-16)*%g,16,235)'", of(1.25, 0.75, 1.5))
	case Truck:
		return fmt.Sprintf("drawbox=x=iw*%g:y=ih*0.1:w=iw*0.55:h=ih*0.9:c=%s:t=fill,drawbox=x=iw*%[1]g:y=ih*0.75:w=iw*0.55:h=ih*0.05:c=black:t=fill",
			of(0.1, 0.3, 0.45), text("0xb0b0b0", "0x405060", "0xe0e0e0"))
	case Shake:
		return fmt.Sprintf("geq=lum='lum(X+%[1]g*(1-mod(N,3)),Y+%[1]g*(mod(N,2)-0.5))':cb='cb(X+%[1]g*(1-mod(N,3))/2,Y)':cr='cr(X+%[1]g*(1-mod(N,3))/2,Y)'", of(2, 3, 4))
	default:
		panic(fmt.Sprintf("degrade: no kind %q", kind))
	}
}

// window is a part of the footage whose top left corner lies at x, y, as
// shares of the part's own size.
func window(x, y float64) string {
	const side = 0.75
	return fmt.Sprintf("crop=iw*%[1]g:ih*%[1]g:iw*%[2]g:ih*%[3]g", side, side*x, side*y)
}
