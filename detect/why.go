package detect

import (
	"fmt"
	"math"

	"videopatrol/inventory"
)

// explain says why a verdict was reached, for the person who reads it.
func explain(z inventory.Zone, v verdict) Text {
	name := z.Name
	if name == "" {
		name = z.ID
	}
	seconds := int(math.Round(v.held.Seconds()))
	percent := 100 * v.share
	zh, en := "禁入区", "closed area"
	if z.Kind == inventory.ZoneFireLane {
		zh, en = "消防通道", "fire lane"
	}
	zh, en = fmt.Sprintf("%s“%s”", zh, name), fmt.Sprintf("%s “%s”", en, name)
	switch v.reason {
	case reasonMoved:
		return Text{
			ZH: fmt.Sprintf("%s内有人或物体进入，占区域 %.1f%%，已 %d 秒", zh, percent, seconds),
			EN: fmt.Sprintf("Someone or something is in the %s: %.1f %% of it, for %d s", en, percent, seconds),
		}
	case reasonStands:
		return Text{
			ZH: fmt.Sprintf("%s被占用：有物体停留 %d 秒，占区域 %.1f%%", zh, seconds, percent),
			EN: fmt.Sprintf("Something has stood in the %s for %d s and takes %.1f %% of it", en, seconds, percent),
		}
	case reasonClear:
		return Text{
			ZH: fmt.Sprintf("%s已恢复，共持续 %d 秒", zh, seconds),
			EN: fmt.Sprintf("The %s is clear again after %d s", en, seconds),
		}
	case reasonQuiet:
		return Text{
			ZH: fmt.Sprintf("恢复巡检后%s内 %d 分钟没有动静", zh, int(unknownQuiet.Minutes())),
			EN: fmt.Sprintf("Nothing has moved in the %s for %d min since the patrol came back", en, int(unknownQuiet.Minutes())),
		}
	case reasonDisarmed:
		return Text{
			ZH: fmt.Sprintf("%s已过布防时段，共持续 %d 秒", zh, seconds),
			EN: fmt.Sprintf("The hours of the %s are over, after %d s", en, seconds),
		}
	case reasonRemoved:
		return Text{
			ZH: fmt.Sprintf("%s已从配置中移除", zh),
			EN: fmt.Sprintf("The %s was taken out of the configuration", en),
		}
	case reasonWait:
	}
	return Text{}
}
