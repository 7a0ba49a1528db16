package eval

import "videopatrol/detect"

func aboutSplit(s Split) detect.Text {
	if s == SplitTest {
		return detect.Text{ZH: "留出：没有用它选过阈值，以此为准", EN: "held out, no threshold was chosen by it: these figures count"}
	}
	return detect.Text{ZH: "调参：阈值参考过这些画面，仅供对照", EN: "thresholds were chosen by looking at it: shown for comparison only"}
}
