package detect

import (
	"cmp"
	"fmt"
	"math"

	"videopatrol/inventory"
)

// zoneWords are the kinds of zones in words.
var zoneWords = map[inventory.ZoneKind]Text{
	inventory.ZoneClosedArea: {ZH: "禁入区", EN: "closed area"},
	inventory.ZoneFireLane:   {ZH: "消防通道", EN: "fire lane"},
	inventory.ZoneNoParking:  {ZH: "禁停区", EN: "no parking zone"},
	inventory.ZoneCrowd:      {ZH: "人群区", EN: "crowd zone"},
	inventory.ZoneUnattended: {ZH: "物品看护区", EN: "watched place"},
	inventory.ZoneFireWatch:  {ZH: "烟火监测区", EN: "fire watch zone"},
	inventory.ZoneRoad:       {ZH: "道路", EN: "road"},
	inventory.ZoneWaterEdge:  {ZH: "临水临轨区", EN: "water or track edge"},
}

// explain says why a verdict was reached, for the person who reads it: where,
// for how long, how much, how surely.
func explain(z inventory.Zone, r Rule, v verdict) Text {
	where := inWords(z)
	seconds := int(math.Round(v.held.Seconds()))
	percent := 100 * v.share
	t := Text{}
	switch v.reason {
	case reasonMoved:
		t = Text{
			ZH: fmt.Sprintf("%s内有人或物体，占区域 %.1f%%", where.ZH, percent),
			EN: fmt.Sprintf("someone or something is in the %s and takes %.1f %% of it", where.EN, percent),
		}
		if seconds > 0 {
			t.ZH += fmt.Sprintf("，已 %d 秒", seconds)
			t.EN += fmt.Sprintf(", for %d s now", seconds)
		}
	case reasonStands:
		t = stands(where, r.Kind, v, seconds, percent)
	case reasonTaken:
		t = Text{
			ZH: fmt.Sprintf("%s内原有的物体不见了，已 %d 秒", where.ZH, seconds),
			EN: fmt.Sprintf("something that stood in the %s is gone, for %d s now", where.EN, seconds),
		}
		if percent > 0 {
			t.ZH += fmt.Sprintf("，原占区域 %.1f%%", percent)
			t.EN += fmt.Sprintf("; it took %.1f %% of it", percent)
		}
	case reasonCrowd:
		t = crowded(where, v, seconds, percent)
	case reasonFlame:
		t = Text{
			ZH: fmt.Sprintf("%s内有火焰，已 %d 秒", where.ZH, seconds),
			EN: fmt.Sprintf("there is flame in the %s, for %d s now", where.EN, seconds),
		}
	case reasonSmoke:
		t = Text{
			ZH: fmt.Sprintf("%s内有烟雾，已 %d 秒", where.ZH, seconds),
			EN: fmt.Sprintf("there is smoke in the %s, for %d s now", where.EN, seconds),
		}
	case reasonExpr:
		t = Text{
			ZH: fmt.Sprintf("%s内规则“%s”的条件成立，已 %d 秒，占区域 %.1f%%", where.ZH, r.Ref.ID, seconds, percent),
			EN: fmt.Sprintf("the condition of rule “%s” holds in the %s, for %d s now; %.1f %% of it is taken", r.Ref.ID, where.EN, seconds, percent),
		}
	case reasonClear:
		return Text{
			ZH: fmt.Sprintf("%s已恢复，共持续 %d 秒", where.ZH, seconds),
			EN: fmt.Sprintf("the %s is clear again after %d s", where.EN, seconds),
		}
	case reasonQuiet:
		return Text{
			ZH: fmt.Sprintf("恢复巡检后%s内 %d 分钟没有动静", where.ZH, int(unknownQuiet.Minutes())),
			EN: fmt.Sprintf("nothing has moved in the %s for %d min since the patrol came back", where.EN, int(unknownQuiet.Minutes())),
		}
	case reasonBack:
		return Text{
			ZH: fmt.Sprintf("%s内的原位置又有物体，共 %d 秒", where.ZH, seconds),
			EN: fmt.Sprintf("something stands in its place in the %s again, after %d s", where.EN, seconds),
		}
	case reasonHeld:
		return Text{
			ZH: fmt.Sprintf("%s内的物体 %d 秒未归位，以现状为准", where.ZH, seconds),
			EN: fmt.Sprintf("nothing came back to the %s for %d s; it is taken as it is now", where.EN, seconds),
		}
	case reasonDisarmed:
		return Text{
			ZH: fmt.Sprintf("%s已过布防时段，共持续 %d 秒", where.ZH, seconds),
			EN: fmt.Sprintf("the hours of the %s are over, after %d s", where.EN, seconds),
		}
	case reasonRemoved:
		return Text{
			ZH: fmt.Sprintf("%s已从配置中移除", where.ZH),
			EN: fmt.Sprintf("the %s was taken out of the configuration", where.EN),
		}
	case reasonWait:
		return Text{}
	}
	return t.with(v)
}

// inWords names a zone by its kind and its own name.
func inWords(z inventory.Zone) Text {
	t := zoneWords[z.Kind]
	switch name := cmp.Or(z.Name, z.ID); name {
	case t.ZH:
		t.EN += " “" + name + "”"
	case t.EN:
		t.ZH += "“" + name + "”"
	default:
		t = Text{ZH: fmt.Sprintf("%s“%s”", t.ZH, name), EN: fmt.Sprintf("%s “%s”", t.EN, name)}
	}
	return t
}

func stands(where Text, k Kind, v verdict, seconds int, percent float64) Text {
	switch {
	case k == KindObjectLeft:
		return Text{
			ZH: fmt.Sprintf("%s内有遗留物体，已 %d 秒，占区域 %.1f%%", where.ZH, seconds, percent),
			EN: fmt.Sprintf("something was left in the %s %d s ago and takes %.1f %% of it", where.EN, seconds, percent),
		}
	case k == KindStandstill && v.count > 1:
		return Text{
			ZH: fmt.Sprintf("%s车流停滞 %d 秒，%d 处停留，占区域 %.1f%%", where.ZH, seconds, int(v.count), percent),
			EN: fmt.Sprintf("traffic has stood on the %s for %d s in %d places and takes %.1f %% of it", where.EN, seconds, int(v.count), percent),
		}
	default:
		return Text{
			ZH: fmt.Sprintf("%s内有物体停留 %d 秒，占区域 %.1f%%", where.ZH, seconds, percent),
			EN: fmt.Sprintf("something has stood in the %s for %d s and takes %.1f %% of it", where.EN, seconds, percent),
		}
	}
}

func crowded(where Text, v verdict, seconds int, percent float64) Text {
	t := Text{
		ZH: fmt.Sprintf("%s内人群聚集 %d 秒，占区域 %.1f%%", where.ZH, seconds, percent),
		EN: fmt.Sprintf("people have gathered in the %s for %d s and take %.1f %% of it", where.EN, seconds, percent),
	}
	if v.count >= 0 {
		t.ZH += fmt.Sprintf("，约 %.0f 人", v.count)
		t.EN += fmt.Sprintf(", about %.0f of them", v.count)
	}
	return t
}

// with adds what a model saw, the size of the largest thing, and the score.
func (t Text) with(v verdict) Text {
	if v.class != "" {
		t.ZH += fmt.Sprintf("，识别为 %s（%.2f）", v.class, v.certain)
		t.EN += fmt.Sprintf(", recognised as %s (%.2f)", v.class, v.certain)
	}
	if v.size > 0 && v.reason != reasonCrowd {
		t.ZH += fmt.Sprintf("，最大约为 %.1f 个人的大小", v.size)
		t.EN += fmt.Sprintf(", the largest of the size of %.1f persons", v.size)
	}
	t.ZH += fmt.Sprintf("，评分 %.2f", min(1, v.score))
	t.EN += fmt.Sprintf("; score %.2f", min(1, v.score))
	return t
}
