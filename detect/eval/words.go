package eval

import "videopatrol/detect"

func aboutSplit(s Split) detect.Text {
	if s == SplitTest {
		return detect.Text{ZH: "留出：没有用它选过阈值，以此为准", EN: "held out, no threshold was chosen by it: these figures count"}
	}
	return detect.Text{ZH: "调参：阈值参考过这些画面，仅供对照", EN: "thresholds were chosen by looking at it: shown for comparison only"}
}

// words are the names of kinds, faults, degradations, groups and outcomes.
var words = map[string]detect.Text{
	"intrusion":         {ZH: "闯入禁区", EN: "intrusion"},
	"fire_lane_blocked": {ZH: "占用消防通道", EN: "fire lane blocked"},
	"illegal_parking":   {ZH: "违停", EN: "illegal parking"},
	"crowd":             {ZH: "人群聚集", EN: "crowd"},
	"object_left":       {ZH: "遗留物", EN: "object left"},
	"object_taken":      {ZH: "物品被取走", EN: "object taken"},
	"fire":              {ZH: "明火", EN: "fire"},
	"smoke":             {ZH: "烟雾", EN: "smoke"},
	"standstill":        {ZH: "道路停滞", EN: "standstill"},
	"water_edge":        {ZH: "临水临轨", EN: "water edge"},

	AnyFault:  {ZH: "任一画面故障", EN: "any scene fault"},
	"frozen":  {ZH: "画面冻结", EN: "frozen"},
	"dark":    {ZH: "画面过暗", EN: "dark"},
	"bright":  {ZH: "过亮", EN: "over-bright"},
	"blurred": {ZH: "模糊", EN: "blurred"},
	"covered": {ZH: "镜头被遮挡", EN: "covered"},
	"moved":   {ZH: "移位", EN: "moved"},
	"tinted":  {ZH: "偏色", EN: "colour cast"},
	"noisy":   {ZH: "噪声", EN: "noisy"},
	"torn":    {ZH: "花屏", EN: "torn"},

	"fog":         {ZH: "雾", EN: "fog"},
	"rain":        {ZH: "雨", EN: "rain"},
	"dusk":        {ZH: "黄昏", EN: "dusk"},
	"infrared":    {ZH: "切换红外", EN: "infrared"},
	"low_bitrate": {ZH: "低码率", EN: "low bit rate"},

	"":                    {ZH: "全部", EN: "all"},
	string(GroupClip):     {ZH: "实拍", EN: "real clips"},
	string(GroupDegraded): {ZH: "劣化", EN: "degraded"},
	string(GroupStanding): {ZH: "贴入静物", EN: "standing things"},
	string(GroupRendered): {ZH: "仿真", EN: "rendered"},

	string(SplitTest): {ZH: "留出", EN: "held out"},
	string(SplitTune): {ZH: "调参", EN: "tuning"},

	string(OutcomeFound):  {ZH: "迟报", EN: "late"},
	string(OutcomeMissed): {ZH: "漏报", EN: "missed"},
	string(OutcomeFalse):  {ZH: "误报", EN: "false"},
	string(OutcomeDouble): {ZH: "重复", EN: "double"},

	"decode":  {ZH: "解码", EN: "decode"},
	"scene":   {ZH: "画面诊断", EN: "scene health"},
	"motion":  {ZH: "运动", EN: "motion"},
	"objects": {ZH: "目标", EN: "objects"},
	"rules":   {ZH: "规则", EN: "rules"},
	"encode":  {ZH: "编码", EN: "encode"},
}

// word is the name of something in both languages, or the thing itself.
func word(name string) detect.Text {
	if w, ok := words[name]; ok {
		return w
	}
	return detect.Text{ZH: name, EN: name}
}
