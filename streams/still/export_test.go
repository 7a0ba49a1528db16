package still

// Inspect is inspect, for tests.
func Inspect(b []byte) (size, width, height int, err error) {
	p, err := inspect(b)
	return p.size, p.width, p.height, err
}

// Choose is choose, for tests: the algorithm of the challenge that is
// preferred, "Basic" for that, "" for none.
func Choose(headers ...string) (best string, offered []string) {
	c, offered := choose(headers)
	switch {
	case c == nil:
		return "", offered
	case !c.digest:
		return "Basic", offered
	default:
		return "Digest " + c.algorithm, offered
	}
}
