package detect

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// explainFire says what is believed and why, for the person who reads it.
func explainFire(b burning, v veiled) Text {
	var zh, en []string
	tell := func(z, e string, args ...any) {
		zh, en = append(zh, fmt.Sprintf(z, args...)), append(en, fmt.Sprintf(e, args...))
	}
	seconds := func(d time.Duration) int { return int(math.Round(d.Seconds())) }
	if b.score >= fireScore {
		tell("有火焰颜色在原处闪动（%d 处，占区域 %.1f%%），各次画面相差至少 %.0f%%",
			"flame colours flicker in place (%d of them, %.1f %% of the zone), no two looks closer than %.0f %%",
			max(1, len(b.boxes)), 100*b.share, 100*b.change)
		if b.growth >= 1.3 {
			tell("面积为近期的 %.1f 倍", "%.1f times as large as of late", b.growth)
		}
		if s := seconds(b.held); s > 0 {
			tell("已 %d 秒", "for %d s now", s)
		}
	}
	if v.score >= fireScore {
		tell("烟雾自一处升起，遮住区域的 %.0f%%，已 %d 秒",
			"smoke rises from a place and veils %.0f %% of the zone, for %d s now", 100*v.share, seconds(v.held))
	}
	return Text{ZH: strings.Join(zh, "，"), EN: strings.Join(en, ", ")}
}
