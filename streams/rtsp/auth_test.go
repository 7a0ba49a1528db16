package rtsp_test

import (
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"net"
	"net/textproto"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/bluenviron/gortsplib/v4/pkg/auth"

	"videopatrol/inventory"
	"videopatrol/streams"
	"videopatrol/streams/rtsp"
	st "videopatrol/streams/streamstest"
)

// TestLogins against a real server, with every way to log in and passwords
// that break naive clients.
func TestLogins(t *testing.T) {
	ways := map[string][]auth.VerifyMethod{
		"Basic": {auth.VerifyMethodBasic}, "MD5": {auth.VerifyMethodDigestMD5}, "SHA-256": {auth.VerifyMethodDigestSHA256},
		"all": {auth.VerifyMethodBasic, auth.VerifyMethodDigestMD5, auth.VerifyMethodDigestSHA256},
	}
	for name, methods := range ways {
		for _, password := range []string{"simple", "p%40s/ö@?#%", ` "`} {
			t.Run(name+" "+password, func(t *testing.T) {
				t.Parallel()
				cam, h := st.New(t, st.Options{Username: "admin", Password: password, AuthMethods: methods}), listen()
				target := streams.Target{URL: cam.URL(), Login: inventory.Login{Username: "admin", Password: inventory.Secret(password)}}
				open(t, rtsp.Options{}, target, h)
				if err := cam.Send(cam.KeyUnit(1)); err != nil {
					t.Fatal(err)
				}
				<-h.units
				target.Login.Password = "wrong"
				_, err := opener(t, rtsp.Options{}).Open(t.Context(), target, listen().receiver())
				if streams.ReasonOf(err) != streams.ReasonAuth && streams.ReasonOf(err) != streams.ReasonClosed {
					t.Errorf("wrong password: %v", err)
				}
			})
		}
	}
}

// TestDigestExamples of RFC 2617 section 3.5 and RFC 2069's form.
func TestDigestExamples(t *testing.T) {
	login := inventory.Login{Username: "Mufasa", Password: "Circle Of Life"}
	const challenge = `Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", opaque="5ccc069c403ebaf9f0171e9517f40e41"`
	got := rtsp.Authorize(login, "GET", "/dir/index.html", challenge)
	for _, want := range []string{`username="Mufasa"`, `uri="/dir/index.html"`, `response="670fd8c2df070c60b045671b8b24ff02"`, `opaque="5ccc069c403ebaf9f0171e9517f40e41"`} {
		if !strings.Contains(got, want) {
			t.Errorf("%s misses %s", got, want)
		}
	}
	h := func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }
	got = rtsp.Authorize(login, "GET", "/dir/index.html", challenge+`,qop="auth,auth-int",algorithm=MD5`)
	cnonce := regexp.MustCompile(`cnonce="(\w+)"`).FindStringSubmatch(got)
	if cnonce == nil || !strings.Contains(got, "qop=auth, nc=00000001") {
		t.Fatal(got)
	}
	want := h(h("Mufasa:testrealm@host.com:Circle Of Life") + ":dcd98b7102dd2f0e8b11d0f600bfb0c093:00000001:" + cnonce[1] + ":auth:" + h("GET:/dir/index.html"))
	if !strings.Contains(got, `response="`+want+`"`) {
		t.Errorf("%s, want response %s", got, want)
	}
}

func TestStrongestChallengeIsAnswered(t *testing.T) {
	login := inventory.Login{Username: "u", Password: "p"}
	const md5, sha, basic = `Digest realm="r", nonce="m", algorithm="MD5"`, `Digest nonce="s",realm="r",algorithm=SHA-256`, `Basic realm="r"`
	tests := map[string]struct {
		offers []string
		want   string // within the answer; "" for no answer
	}{
		"basic":                 {[]string{basic}, "Basic dTpw"},
		"basic and digest":      {[]string{basic, md5}, `nonce="m"`},
		"all":                   {[]string{sha, basic, md5}, `nonce="s"`},
		"unknown algorithm":     {[]string{`Digest realm="r", nonce="n", algorithm="SHA-512-256"`}, ""},
		"unknown, and MD5":      {[]string{`Digest realm="r", nonce="n", algorithm="SHA-512-256"`, md5}, `nonce="m"`},
		"empty algorithm":       {[]string{`Digest realm="r", nonce="n", algorithm=""`}, `nonce="n"`},
		"MD5-sess":              {[]string{`Digest realm="r", nonce="n", algorithm=MD5-sess, qop="auth"`}, `algorithm="MD5-sess"`},
		"auth-int only":         {[]string{`Digest realm="r", nonce="n", qop="auth-int"`}, ""},
		"lower case, no spaces": {[]string{`digest realm="r",nonce="n",stale="FALSE"`}, `nonce="n"`},
		"comma in the realm":    {[]string{`Digest realm="a, b=c", nonce="n"`}, `realm="a, b=c"`},
		"all in one header":     {[]string{basic + ", " + md5 + "," + sha}, `nonce="s"`},
		"a name within quotes":  {[]string{`Digest realm="x, Basic realm", nonce="n"`}, `realm="x, Basic realm"`},
		"no nonce":              {[]string{`Digest realm="r"`}, ""},
		"another scheme":        {[]string{`Bearer realm="r"`, ""}, ""},
		"nothing":               {nil, ""},
	}
	for name, tt := range tests {
		got := rtsp.Authorize(login, "DESCRIBE", "rtsp://x/", tt.offers...)
		if tt.want == "" && got != "" || !strings.Contains(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// picky is a camera that checks digests by hand; nonce tells the nonce that
// the n-th request must use, and header what it says with 401.
type picky struct {
	nonce  func(n int) string
	header func(nonce string) string
	// relative compares the digest to the path alone when the client does so.
	mu   sync.Mutex
	seen []string // Authorization headers
}

func (p *picky) serve(c net.Conn) {
	const sdp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=control:t\r\n"
	r := textproto.NewConn(c)
	for n := 0; ; n++ {
		line, err := r.ReadLine()
		if err != nil {
			return
		}
		head, err := r.ReadMIMEHeader()
		if err != nil {
			return
		}
		words := strings.Fields(line)
		given := head.Get("Authorization")
		p.mu.Lock()
		p.seen = append(p.seen, given)
		p.mu.Unlock()
		h := func(s string) string { sum := md5.Sum([]byte(s)); return hex.EncodeToString(sum[:]) }
		good := h(h("u:r:p") + ":" + p.nonce(n) + ":" + h(words[0]+":"+words[1]))
		answer := "RTSP/1.0 200 OK\r\nCSeq: " + head.Get("CSeq") + "\r\nSession: 1\r\n"
		switch {
		case words[0] == "OPTIONS":
			answer += "\r\n"
		case !strings.Contains(given, `response="`+good+`"`) || !strings.Contains(given, `uri="`+words[1]+`"`):
			answer = "RTSP/1.0 401 Unauthorized\r\nCSeq: " + head.Get("CSeq") + "\r\n" + p.header(p.nonce(n+1)) + "\r\n"
		case words[0] == "DESCRIBE":
			answer += fmt.Sprintf("Content-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s", len(sdp), sdp)
		case words[0] == "SETUP":
			answer += "Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n"
		default:
			answer += "\r\n"
		}
		if _, err := c.Write([]byte(answer)); err != nil {
			return
		}
	}
}

// TestVisitAsksLittle: a session for one key unit asks for nothing that it
// does not need; one that stays must know how to be kept alive.
func TestVisitAsksLittle(t *testing.T) {
	for visit, want := range map[bool]int{true: 4, false: 5} { // DESCRIBE twice, SETUP, PLAY
		cam := &picky{nonce: func(int) string { return "n" }, header: func(nonce string) string {
			return `WWW-Authenticate: Digest realm="r", nonce="` + nonce + "\"\r\n"
		}}
		target := streams.Target{
			URL: "rtsp://" + st.Listen(t, cam.serve) + "/", Login: inventory.Login{Username: "u", Password: "p"}, Visit: visit,
		}
		s, err := opener(t, rtsp.Options{}).Open(t.Context(), target, listen().receiver())
		if err != nil {
			t.Fatal(err)
		}
		cam.mu.Lock()
		asked := len(cam.seen)
		cam.mu.Unlock()
		if asked != want {
			t.Errorf("visit %t: %d requests until it plays, want %d", visit, asked, want)
		}
		s.Close()
	}
}

// TestNoncesThatChange: a fresh nonce is followed when the camera says that
// the old one is stale, or took the login before; a wrong password is tried
// once, for cameras lock whoever goes on.
func TestNoncesThatChange(t *testing.T) {
	same := func(int) string { return "n" }
	each := func(n int) string { return fmt.Sprint("n", n) }
	plain := func(nonce string) string { return `WWW-Authenticate: Digest realm="r", nonce="` + nonce + "\"\r\n" }
	stale := func(nonce string) string {
		return `WWW-Authenticate: Digest realm="r", nonce="` + nonce + "\", stale=TRUE\r\n"
	}
	tests := map[string]struct {
		cam      *picky
		password inventory.Secret
		want     streams.Reason
		logins   int // requests with a login
	}{
		"one nonce":                      {&picky{nonce: same, header: plain}, "p", "", 3},
		"a new nonce with every request": {&picky{nonce: each, header: plain}, "p", "", 5},
		"stale with every request":       {&picky{nonce: each, header: stale}, "p", "", 5},
		"wrong password":                 {&picky{nonce: same, header: plain}, "x", streams.ReasonAuth, 1},
		"wrong password, new nonces":     {&picky{nonce: each, header: plain}, "x", streams.ReasonAuth, 1},
		"wrong password, always stale":   {&picky{nonce: each, header: stale}, "x", streams.ReasonAuth, 2},
		"no WWW-Authenticate":            {&picky{nonce: same, header: func(string) string { return "" }}, "p", streams.ReasonAuth, 0},
		"no login known":                 {&picky{nonce: same, header: plain}, "", streams.ReasonAuth, 0},
		"an algorithm that is not known": {&picky{nonce: same, header: func(string) string {
			return `WWW-Authenticate: Digest realm="r", nonce="n", algorithm="rot13"` + "\r\n"
		}}, "p", streams.ReasonAuth, 0},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			addr := st.Listen(t, tt.cam.serve)
			login := inventory.Login{Username: "u", Password: tt.password}
			if tt.password == "" {
				login = inventory.Login{}
			}
			s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + addr + "/a%20b?c=d", Login: login}, listen().receiver())
			if streams.ReasonOf(err) != tt.want {
				t.Fatalf("reason %q, want %q: %v", streams.ReasonOf(err), tt.want, err)
			}
			tt.cam.mu.Lock()
			logins := 0
			for _, given := range tt.cam.seen {
				if given != "" {
					logins++
				}
			}
			tt.cam.mu.Unlock()
			if logins != tt.logins {
				t.Errorf("%d requests with a login, want %d: %q", logins, tt.logins, tt.cam.seen)
			}
			if s != nil {
				s.Close()
			}
		})
	}
}

// TestPasswordNeverGoesInThePlainUnasked: Basic is answered only where nothing
// better is offered.
func TestPasswordNeverGoesInThePlainUnasked(t *testing.T) {
	cam := picky{nonce: func(int) string { return "n" }, header: func(nonce string) string {
		return "WWW-Authenticate: Basic realm=\"r\"\r\nWWW-Authenticate: Digest realm=\"r\", nonce=\"" + nonce + "\"\r\n"
	}}
	addr := st.Listen(t, cam.serve)
	s, err := opener(t, rtsp.Options{}).Open(t.Context(), streams.Target{URL: "rtsp://" + addr + "/", Login: inventory.Login{Username: "u", Password: "p"}}, listen().receiver())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, given := range cam.seen {
		if strings.HasPrefix(given, "Basic") {
			t.Error("the password went in the plain")
		}
	}
}
