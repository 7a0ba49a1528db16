package hostile

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"videopatrol/streams"
)

// loginFaults are 16 to 19 of the catalogue.
func loginFaults() []Fault {
	challenge := func(value string) func(*conversation, *request, *answer) {
		return func(_ *conversation, _ *request, a *answer) {
			if strings.HasPrefix(a.status, "401") {
				a.unset("WWW-Authenticate")
				if value != "" {
					a.set("WWW-Authenticate", value)
				}
			}
		}
	}
	refuseAll := func(status string) func(*conversation, *request, *answer) {
		return func(_ *conversation, r *request, a *answer) {
			if r.method != "OPTIONS" {
				a.refuse(status)
				a.set("WWW-Authenticate", `Digest realm="ipcam", nonce="1"`)
			}
		}
	}
	return []Fault{
		{
			ID: "16-unknown-algorithm", Summary: "asks for a digest of an unknown algorithm", Login: true, Reasons: is(streams.ReasonAuth),
			answer: challenge(`Digest realm="ipcam", nonce="1", algorithm=SHA-512-256`),
		},
		{ID: "16-sha256", Summary: "asks for a SHA-256 digest", Login: true, UDP: true, login: scheme{sha256: true}},
		{ID: "16-basic", Summary: "asks for a password in clear", Login: true, login: scheme{basic: true}},
		{ID: "16-relative-uri", Summary: "wants the path alone in the digest", Login: true, Reasons: is(streams.ReasonAuth), login: scheme{relative: true}},
		{ID: "16-exact-uri", Summary: "wants the digest's uri to equal the request line", Login: true, login: scheme{exact: true}},
		{ID: "16-percent-password", Summary: "has a password with a percent sign", Login: true},
		{ID: "16-no-challenge", Summary: "refuses a login without saying how it wants one", Login: true, Reasons: is(streams.ReasonAuth), answer: challenge("")},
		{ID: "16-new-nonce", Summary: "wants a new nonce in every request", Login: true, login: scheme{fresh: true}},
		{
			ID: "16-new-nonce-close", Summary: "wants a new nonce in every request, and closes after each refusal", Login: true,
			Reasons: is(streams.ReasonClosed, streams.ReasonAuth), login: scheme{fresh: true},
			answer: func(_ *conversation, _ *request, a *answer) {
				if a.hangUp = strings.HasPrefix(a.status, "401"); a.hangUp {
					a.set("Connection", "close")
				}
			},
		},
		{ID: "17-lockout", Summary: "locks the address out: every login is wrong", Login: true, Reasons: is(streams.ReasonAuth), answer: refuseAll("401 Unauthorized")},
		{ID: "17-lockout-403", Summary: "locks the address out: every request is forbidden", Login: true, Reasons: is(streams.ReasonAuth), answer: refuseAll("403 Forbidden")},
		{
			ID: "18-401-when-full", Summary: "says 401 when its one session is taken", Login: true,
			answer: func(t *conversation, r *request, a *answer) {
				if r.method == "DESCRIBE" && !t.playing && t.server.begins(0) > 0 {
					a.refuse("401 Unauthorized")
					a.set("WWW-Authenticate", t.fault.login.challenge(t.nonce))
				}
			},
		},
		{ID: "19-453", Summary: "has no session left, and says 453", UDP: true, Reasons: is(streams.ReasonSessionLimit), answer: status("SETUP", "453 Not Enough Bandwidth")},
		{ID: "19-500", Summary: "has no session left, and says 500", Reasons: is(streams.ReasonSessionLimit), answer: status("SETUP", "500 Internal Server Error")},
		{ID: "19-503", Summary: "has no session left, and says 503", Reasons: is(streams.ReasonSessionLimit), answer: status("DESCRIBE", "503 Service Unavailable")},
		{
			ID: "19-slow-slot", Summary: "has one session, which it still counts at first, and needs five seconds between attempts", Reasons: is(streams.ReasonSessionLimit),
			answer: func(t *conversation, r *request, a *answer) {
				if r.method == "DESCRIBE" && (t.try == 1 || t.since < t.seconds(5)) {
					a.refuse("503 Service Unavailable")
				}
			},
		},
		{
			ID: "19-ban", Summary: "bans the address: connections are reset", Reasons: is(streams.ReasonClosed),
			accept: func(t *conversation) bool {
				t.reset()
				return true
			},
		},
	}
}

// rtspFaults are 20 to 24 and 27 to 31 of the catalogue.
func rtspFaults() []Fault {
	// soon asks for a sign of life every second.
	soon := func(then func(t *conversation, r *request, a *answer)) func(*conversation, *request, *answer) {
		return func(t *conversation, r *request, a *answer) {
			if r.method == "SETUP" {
				a.set("Session", "12345678;timeout=1")
			}
			if t.playing {
				then(t, r, a)
			}
		}
	}
	asks := func(request string) func(*conversation, int) bool {
		return func(t *conversation, n int) bool {
			if n%5 == 3 {
				_ = t.write([]byte(request + " rtsp://127.0.0.1/main RTSP/1.0\r\nCSeq: 7\r\nSession: 12345678\r\n\r\n"))
			}
			return true
		}
	}
	info := func(value string) func(*conversation, *request, *answer) { return header("PLAY", "RTP-Info", value) }
	transport := func(change func(s string) string) func(*conversation, *request, *answer) {
		return on("SETUP", func(_ *conversation, a *answer) {
			for i, line := range a.head {
				if value, ok := strings.CutPrefix(line, "Transport: "); ok {
					a.head[i] = "Transport: " + change(value)
				}
			}
		})
	}
	length := func(n string) func(*conversation, *request, *answer) {
		return on("DESCRIBE", func(_ *conversation, a *answer) { a.length = n })
	}
	cseq := func(form string) func(*conversation, *request, []byte) []byte {
		return func(_ *conversation, r *request, b []byte) []byte {
			line := "CSeq: " + r.header("CSeq") + "\r\n"
			return bytes.Replace(b, []byte(line), []byte(strings.ReplaceAll(form, "N", r.header("CSeq"))), 1)
		}
	}
	return []Fault{
		{
			ID: "20-closes-on-keepalive", Summary: "closes when it is asked GET_PARAMETER", Reasons: is(streams.ReasonClosed),
			answer: soon(func(_ *conversation, r *request, a *answer) { a.silent, a.hangUp = true, r.method != "TEARDOWN" }),
		},
		{
			ID: "20-keepalive-454", Summary: "knows no session when it is asked GET_PARAMETER", UDP: true,
			answer: soon(func(_ *conversation, _ *request, a *answer) { a.status = "454 Session Not Found" }),
		},
		{ID: "20-keepalive-400", Summary: "does not understand GET_PARAMETER", answer: soon(func(_ *conversation, _ *request, a *answer) { a.status = "400 Bad Request" })},
		{ID: "20-keepalive-unanswered", Summary: "never answers a sign of life", answer: soon(func(_ *conversation, _ *request, a *answer) { a.silent = true })},
		{
			ID: "20-options-no-life", Summary: "offers OPTIONS alone, and does not count it as a sign of life", Reasons: is(streams.ReasonClosed),
			answer: func(_ *conversation, r *request, a *answer) {
				switch r.method {
				case "OPTIONS":
					a.set("Public", "OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN")
				case "SETUP":
					a.set("Session", "12345678;timeout=30")
				}
			},
			before: func(t *conversation, n int) bool {
				if time.Duration(n)*t.source.Period > t.seconds(30) {
					t.hangUp()
				}
				return true
			},
		},
		{
			ID: "20-life-every-5s", Summary: "closes without a sign of life within five seconds, and does not say so", Reasons: is(streams.ReasonClosed),
			before: func(t *conversation, _ int) bool {
				if time.Since(time.Unix(0, t.kept.Load())) > t.seconds(5) {
					t.hangUp()
				}
				return true
			},
		},
		{ID: "20-timeout-zero", Summary: "says that its sessions last no time", answer: header("SETUP", "Session", "12345678;timeout=0")},
		{ID: "21-session-changes", Summary: "changes the session's id", answer: header("PLAY", "Session", "87654321")},
		{ID: "21-session-malformed", Summary: "has a timeout that is no number", Reasons: is(streams.ReasonProtocol), answer: header("SETUP", "Session", "12345678;timeout=never")},
		{ID: "21-session-empty", Summary: "gives the session no id", answer: header("SETUP", "Session", "")},
		{ID: "22-cseq-spaces", Summary: "puts spaces around its sequence number", raw: cseq("CSeq:   N  \r\n")},
		{ID: "22-cseq-wrong", Summary: "answers with another sequence number", raw: cseq("CSeq: 9N9\r\n")},
		{ID: "22-cseq-missing", Summary: "answers without a sequence number", raw: cseq("")},
		{ID: "22-cseq-case", Summary: "writes cseq in small letters", raw: cseq("cseq: N\r\n")},
		{ID: "22-trailing-spaces", Summary: "ends its lines with spaces", raw: cseq("CSeq: N\r\nX-Model: IPC   \r\n")},
		{ID: "22-empty-header", Summary: "has a header without a value", raw: cseq("CSeq: N\r\nX-Model:\r\n")},
		{ID: "22-describe-551", Summary: "answers DESCRIBE by 551", Reasons: is(streams.ReasonProtocol), answer: status("DESCRIBE", "551 Option Not Supported")},
		{ID: "23-length-negative", Summary: "announces a body of -1 bytes", Reasons: is(streams.ReasonProtocol), answer: length("-1")},
		{ID: "23-length-long", Summary: "announces a longer body than it sends", Reasons: is(streams.ReasonTimeout), answer: length("9999")},
		{ID: "23-length-short", Summary: "announces a shorter body than it sends", Reasons: is(streams.ReasonUnsupported), answer: length("20")},
		{ID: "23-length-none", Summary: "does not announce its body", Reasons: is(streams.ReasonUnsupported), answer: length("none")},
		{
			ID: "23-no-content-type", Summary: "does not say what its body is",
			answer: on("DESCRIBE", func(_ *conversation, a *answer) { a.unset("Content-Type") }),
		},
		{
			ID: "23-body-too-big", Summary: "sends a description of 128 KiB and one byte", Reasons: is(streams.ReasonProtocol),
			answer: on("DESCRIBE", func(_ *conversation, a *answer) {
				a.body += strings.Repeat("a=x:y\r\n", 20_000)
				a.body = a.body[:128<<10+1]
			}),
		},
		{ID: "24-unclosed-quote", Summary: "opens a quote in a header and never closes it", answer: transport(func(s string) string { return s + `;ssrc="` })},
		{ID: "24-separators", Summary: "has a header of separators", UDP: true, answer: transport(func(s string) string { return strings.ReplaceAll(s, ";", ";;;=;") + ";;;" })},
		{ID: "24-empty-transport", Summary: "agrees on no transport", Reasons: is(streams.ReasonUnsupported), answer: transport(func(string) string { return "" })},
		{ID: "27-asks-options", Summary: "asks OPTIONS of the gateway", before: asks("OPTIONS")},
		{ID: "27-asks-parameter", Summary: "asks GET_PARAMETER of the gateway", before: asks("GET_PARAMETER")},
		{ID: "27-asks-announce", Summary: "announces itself to the gateway", before: asks("ANNOUNCE")},
		{ID: "28-info-semicolon", Summary: "ends RTP-Info with a semicolon", answer: info("url=rtsp://127.0.0.1/main/track1;seq=1;rtptime=1;")},
		{ID: "28-info-seq", Summary: "names a wrong first number in RTP-Info", UDP: true, answer: info("url=rtsp://127.0.0.1/main/track1;seq=0;rtptime=1234")},
		{ID: "28-info-time-zero", Summary: "names the time 0 in RTP-Info", answer: info("url=rtsp://127.0.0.1/main/track1;seq=1;rtptime=0")},
		{ID: "28-info-unparseable", Summary: "sends an RTP-Info that nobody can read", answer: info("url=;seq=many,rtptime=;;\"")},
		{
			ID: "29-one-describe", Summary: "refuses a second DESCRIBE on a connection",
			answer: func(t *conversation, r *request, a *answer) {
				if r.method == "DESCRIBE" && t.asked > 3 {
					a.refuse("455 Method Not Valid In This State")
				}
			},
		},
		{ID: "30-back-channel", Summary: "offers a back channel after its picture", sdp: adds("m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendonly\r\na=control:track9\r\n")},
		{
			ID: "30-back-channel-first", Summary: "offers a back channel before its picture",
			sdp: swap("m=video", "m=audio 0 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\na=sendonly\r\na=control:track9\r\nm=video"),
		},
		{
			ID: "30-back-channel-refused", Summary: "fails when it is asked for a back channel",
			answer: func(_ *conversation, r *request, a *answer) {
				if strings.Contains(r.header("Require"), "backchannel") {
					a.refuse("551 Option Not Supported")
				}
			},
		},
		{ID: "31-ssrc-space", Summary: "puts a space before the source's number", answer: transport(func(s string) string { return strings.Replace(s, "ssrc=", "ssrc= ", 1) })},
		{ID: "31-ssrc-long", Summary: "names a source's number that is too long", answer: transport(func(s string) string { return s + "0000" })},
		{
			ID: "31-order", Summary: "names what it agrees on in another order",
			answer: transport(func(s string) string {
				parts := strings.Split(s, ";")
				for i, j := 1, len(parts)-1; i < j; i, j = i+1, j-1 {
					parts[i], parts[j] = parts[j], parts[i]
				}
				return fmt.Sprintf("%s;", strings.Join(parts, "; "))
			}),
		},
	}
}

// addressFaults are 25 and 26 of the catalogue.
func addressFaults() []Fault {
	to := func(location string) func(*conversation, *request, *answer) {
		return on("DESCRIBE", func(t *conversation, a *answer) {
			a.refuse("302 Found")
			if location != "" {
				a.set("Location", strings.ReplaceAll(location, "HERE", t.tcp.LocalAddr().String()))
			}
		})
	}
	control := func(value string) func(string) string { return swap("a=control:track1", "a=control:"+value) }
	return []Fault{
		{ID: "25-base-no-scheme", Summary: "names a base address without a scheme", answer: header("DESCRIBE", "Content-Base", "127.0.0.1:554/main/")},
		{ID: "25-base-path", Summary: "names a path as its base address", answer: header("DESCRIBE", "Content-Base", "/main/")},
		{ID: "25-base-other-host", Summary: "names another host in its base address", answer: header("DESCRIBE", "Content-Base", "rtsp://10.9.9.9:554/main/")},
		{ID: "25-control-slash", Summary: "names its track with a slash before it", sdp: control("/track1")},
		{ID: "25-control-absolute", Summary: "names its track by a whole address", sdp: control("rtsp://127.0.0.1/main/track1")},
		{ID: "25-control-other-host", Summary: "names its track at another host", sdp: control("rtsp://10.9.9.9:5556/main/track1")},
		{ID: "25-control-query", Summary: "names its track by a query", sdp: control("?ctype=video")},
		{ID: "25-control-none", Summary: "does not name its track", sdp: swap("a=control:track1\r\n", "")},
		{ID: "25-control-unparseable", Summary: "names its track in a way that is no address", Login: true, sdp: control("%zz")},
		{ID: "25-control-session", Summary: "names a session's address that is none", sdp: swap("a=control:*", "a=control:::")},
		{ID: "26-redirect", Summary: "sends the gateway to another host", Reasons: is(streams.ReasonRedirect), answer: to("rtsp://169.254.169.254/latest")},
		{ID: "26-redirect-loopback", Summary: "sends the gateway to the gateway", Reasons: is(streams.ReasonRedirect), answer: to("rtsp://127.0.0.1:8080/")},
		{ID: "26-redirect-loop", Summary: "sends the gateway round in a circle", Reasons: is(streams.ReasonRedirect), answer: to("rtsp://HERE/again")},
		{ID: "26-redirect-nowhere", Summary: "redirects without saying where to", Reasons: is(streams.ReasonRedirect), answer: to("")},
		{ID: "26-redirect-malformed", Summary: "redirects to what is no address", Reasons: is(streams.ReasonRedirect, streams.ReasonProtocol), answer: to("rtsp://[::1:%zz")},
		{ID: "26-redirect-plain", Summary: "redirects from rtsps to rtsp", Secure: true, Alone: true, Reasons: is(streams.ReasonRedirect, streams.ReasonProtocol), answer: to("rtsp://HERE/plain")},
	}
}
