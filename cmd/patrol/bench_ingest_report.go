package main

import "fmt"

// conclude compares the rows with each other.
func (f *ingestFigures) conclude() {
	first := map[string]ingestRow{}
	last := map[string]int{} // index in Growth
	for _, r := range f.Rows {
		key := r.Run + " " + r.Mode
		from, seen := first[key]
		if !seen {
			first[key] = r
			continue
		}
		if r.Cameras == from.Cameras {
			continue
		}
		g := growth{Run: r.Run, Mode: r.Mode, From: from.Cameras, To: r.Cameras, PerCamera: (r.memory() - from.memory()) / int64(r.Cameras-from.Cameras)}
		if i, ok := last[key]; ok {
			f.Growth[i] = g
		} else {
			last[key] = len(f.Growth)
			f.Growth = append(f.Growth, g)
		}
	}
	most := 0
	for _, r := range f.Rows {
		if all := r.CPU + r.WorkersCPU; r.Run == "full" && len(f.Usual) > 0 && r.Cameras >= most && all > 0 {
			most = r.Cameras
			f.Times = f.Usual[len(f.Usual)-1].CPU / all
		}
	}
}

// boundsFrom is the number of cameras from which bounds mean something: below,
// what a process costs by itself is what is measured.
const boundsFrom = 500

// bounds are what the gateway promises on a 2-core machine with the simulator
// beside it, at an interval of 10 s.
func (f *ingestFigures) bounds() []bound {
	var all []bound
	for _, r := range f.Rows {
		if r.Cameras < boundsFrom || r.Run == "floor" {
			continue
		}
		name := fmt.Sprintf("%d cameras, %s %s: ", r.Cameras, r.Run, r.Mode)
		if r.Run == "ingest" && r.Mode == "resident" {
			all = append(all, atMost(name+"CPU per camera and second", r.CPU, 0.20, "ms"))
			if r.OverFloor > 0 {
				all = append(all, atMost(name+"CPU over the floor's", r.OverFloor, 1.6, "times"))
			}
		}
		if r.Run == "ingest" && r.Mode == "visit" {
			all = append(all, atMost(name+"CPU per visit", r.VisitCPU, 1.5, "ms"))
		}
		if f.Interval != 10 {
			continue
		}
		if r.Mode == "visit" {
			all = append(all, atMost(name+"network per camera", r.Kbits, 100, "kbit/s"))
		}
		if r.Run == "full" {
			all = append(all, atMost(name+"age of the newest picture, p99", r.AgeP99, 15, "s"))
		}
		if r.Run == "full" && r.Mode == "auto" {
			all = append(all, atMost(name+"CPU per camera and second", r.CPU+r.WorkersCPU, 0.45, "ms"))
		}
	}
	for _, g := range f.Growth {
		if g.Run == "ingest" && g.Mode == "resident" && g.From >= boundsFrom {
			all = append(all, atMost(fmt.Sprintf("memory per resident camera, %d to %d", g.From, g.To), float64(g.PerCamera)/1e3, 120, "kB"))
		}
	}
	if f.Times > 0 && f.most("full") >= boundsFrom {
		all = append(all, bound{
			Name: "full patrol against ffmpeg at 5 fps", Want: "≥ 35 times less", Got: fmt.Sprintf("%.0f times less", f.Times), OK: f.Times >= 35,
		})
	}
	return all
}

func (f *ingestFigures) most(run string) (n int) {
	for _, r := range f.Rows {
		if r.Run == run {
			n = max(n, r.Cameras)
		}
	}
	return n
}

func (f *ingestFigures) tables() [][][]string {
	ms := func(v float64) string { return fmt.Sprintf("%.3f", v) }
	kib := func(v int64, n int) string { return fmt.Sprintf("%.1f", float64(v)/1024/float64(n)) }
	dash := func(v float64, format string) string {
		if v == 0 {
			return "–"
		}
		return fmt.Sprintf(format, v)
	}
	rows := [][]string{{
		"PER CAMERA", "CAMERAS", "CPU MS/S", "WORKERS", "IN ALL", "× FLOOR", "MACHINE", "CITY", "PSS KIB", "SOCKETS KIB", "WORKERS KIB",
		"SYSCALLS/S", "SWITCHES/S", "KBIT/S", "MS/VISIT", "AGE P50", "P99", "MAX",
	}}
	for _, r := range f.Rows {
		rows = append(rows, []string{
			r.Run + " " + r.Mode, fmt.Sprint(r.Cameras), ms(r.CPU), ms(r.WorkersCPU), ms(r.CPU + r.WorkersCPU), dash(r.OverFloor, "%.2f"),
			ms(r.MachineCPU), ms(r.CityCPU), kib(r.PSS, r.Cameras), kib(r.Sockets, r.Cameras), kib(r.WorkersPSS, r.Cameras),
			fmt.Sprintf("%.2f", r.Syscalls), fmt.Sprintf("%.2f", r.Switches), fmt.Sprintf("%.1f", r.Kbits),
			dash(r.VisitCPU, "%.2f"), dash(r.AgeP50, "%.1f s"), dash(r.AgeP99, "%.1f s"), dash(r.AgeMax, "%.1f s"),
		})
	}
	tables := [][][]string{{{
		fmt.Sprintf("704×576 H.264, 15 fps, about 420 kbit/s, GOP 2 s; a sample every %.0f s; %.0f s each; %s", f.Interval, f.Duration, f.Line),
	}}, rows}
	if len(f.Rows) > 0 {
		tables[0] = append(tables[0], []string{"system calls: " + f.Rows[0].SyscallsHow})
	}
	if len(f.Growth) > 0 {
		grown := [][]string{{"ONE MORE CAMERA HOLDS", "FROM", "TO", "KIB"}}
		for _, g := range f.Growth {
			grown = append(grown, []string{g.Run + " " + g.Mode, fmt.Sprint(g.From), fmt.Sprint(g.To), fmt.Sprintf("%.1f", float64(g.PerCamera)/1024)})
		}
		tables = append(tables, grown)
	}
	if len(f.Usual) > 0 {
		usual := [][]string{{"THE USUAL WAYS", "CAMERAS", "CPU MS/S", "PSS KIB"}}
		for _, b := range f.Usual {
			usual = append(usual, []string{b.Name, fmt.Sprint(b.Cameras), ms(b.CPU), kib(b.PSS, 1)})
		}
		if f.Times > 0 {
			usual = append(usual, []string{fmt.Sprintf("the last costs %.0f times the full patrol", f.Times)})
		}
		tables = append(tables, usual)
	}
	return tables
}
