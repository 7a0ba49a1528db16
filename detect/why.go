package detect

import (
	"cmp"
	"fmt"
	"math"

	"videopatrol/inventory"
)

// explain says why a verdict was reached, for the person who reads it.
func explain(z inventory.Zone, v verdict) Text {
	zh, en := "禁入区", "closed area"
	if z.Kind == inventory.ZoneFireLane {
		zh, en = "消防通道", "fire lane"
	}
	switch name := cmp.Or(z.Name, z.ID); name {
	case zh:
		en += " “" + name + "”"
	case en:
		zh += "“" + name + "”"
	default:
		zh, en = fmt.Sprintf("%s“%s”", zh, name), fmt.Sprintf("%s “%s”", en, name)
	}
	seconds := int(math.Round(v.held.Seconds()))
	percent := 100 * v.share
	switch v.reason {
	case reasonMoved:
		t := Text{
			ZH: fmt.Sprintf("%s内有人或物体，占区域 %.1f%%", zh, percent),
			EN: fmt.Sprintf("someone or something is in the %s and takes %.1f %% of it", en, percent),
		}
		if seconds > 0 {
			t.ZH += fmt.Sprintf("，已 %d 秒", seconds)
			t.EN += fmt.Sprintf(", for %d s now", seconds)
		}
		return t
	case reasonStands:
		return Text{
			ZH: fmt.Sprintf("%s内有物体停留 %d 秒，占区域 %.1f%%", zh, seconds, percent),
			EN: fmt.Sprintf("something has stood in the %s for %d s and takes %.1f %% of it", en, seconds, percent),
		}
	case reasonClear:
		return Text{
			ZH: fmt.Sprintf("%s已恢复，共持续 %d 秒", zh, seconds),
			EN: fmt.Sprintf("the %s is clear again after %d s", en, seconds),
		}
	case reasonQuiet:
		return Text{
			ZH: fmt.Sprintf("恢复巡检后%s内 %d 分钟没有动静", zh, int(unknownQuiet.Minutes())),
			EN: fmt.Sprintf("nothing has moved in the %s for %d min since the patrol came back", en, int(unknownQuiet.Minutes())),
		}
	case reasonDisarmed:
		return Text{
			ZH: fmt.Sprintf("%s已过布防时段，共持续 %d 秒", zh, seconds),
			EN: fmt.Sprintf("the hours of the %s are over, after %d s", en, seconds),
		}
	case reasonRemoved:
		return Text{
			ZH: fmt.Sprintf("%s已从配置中移除", zh),
			EN: fmt.Sprintf("the %s was taken out of the configuration", en),
		}
	case reasonWait:
	}
	return Text{}
}
