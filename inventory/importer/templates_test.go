package importer_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"videopatrol/inventory"
	"videopatrol/inventory/importer"
)

var update = flag.Bool("update", false, "rewrite the golden files")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	file := "testdata/" + name
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

// TestVendors is what every built-in template makes of two addresses.
func TestVendors(t *testing.T) {
	var b strings.Builder
	for _, x := range importer.DefaultTemplates().All() {
		fmt.Fprintf(&b, "%s (%s)\n", x.Name, strings.Join(x.Aliases, ", "))
		for _, at := range []struct {
			address string
			channel int
		}{{"192.0.2.7", 0}, {"nvr.example:8554", 1}, {"2001:db8::7", 1}, {"192.0.2.7", 12}} {
			s, err := importer.DefaultTemplates().Apply(x.Name, at.address, at.channel)
			if err != nil {
				fmt.Fprintf(&b, "  %s %d: %v\n", at.address, at.channel, err)
				continue
			}
			fmt.Fprintf(&b, "  %s %d\n    %s\n    %s\n    %s\n", at.address, at.channel, s.Main, s.Sub, s.Still)
		}
	}
	golden(t, "vendors.golden.txt", b.String())
}

func TestApply(t *testing.T) {
	templates := importer.DefaultTemplates()
	want, err := templates.Apply("hikvision", "192.0.2.7", 1)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"海康", "HIK", " Hikvision "} {
		if got, err := templates.Apply(name, "192.0.2.7", 1); err != nil || got != want {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	for _, c := range []struct {
		vendor, address string
		channel         int
		want            string
	}{
		{"hikvsion", "h", 1, "did you mean hikvision?"},
		{"nobody", "h", 1, "want one of hikvision, "},
		{"dahua", "rtsp://h", 1, "host:port"},
		{"dahua", "u:secret@h", 1, "without a login"},
		{"dahua", "h:0", 1, "1..65535"},
		{"dahua", "h:08", 1, "1..65535"},
		{"dahua", "h/x", 1, "host:port"},
		{"dahua", "a b", 1, "host:port"},
		{"dahua", "", 1, "host:port"},
		{"dahua", "[fe80::1%eth0]:554", 1, "host:port"},
		{"dahua", "h", -1, "channels 1 to 1024"},
		{"uniview", "h", 2, "channels 1 to 1"},
	} {
		_, err := templates.Apply(c.vendor, c.address, c.channel)
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

func TestParseTemplates(t *testing.T) {
	templates, err := importer.ParseTemplates([]byte(`
vendors:
  - name: dahua
    title: Dahua behind our gateway
    sub: rtsps://{address}/{channel-1}/low
  - name: townhall
    aliases: [市政厅]
    still: https://{host}/pictures/{channel+100}.jpg
`))
	if err != nil {
		t.Fatal(err)
	}
	if s, err := templates.Apply("dahua", "h:8554", 1); err != nil || s != (inventory.Streams{Sub: "rtsps://h:8554/0/low"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err := templates.Apply("市政厅", "h:8554", 7); err != nil || s != (inventory.Streams{Still: "https://h/pictures/107.jpg"}) {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := templates.Apply("大华", "h", 1); err == nil {
		t.Error("the alias of a replaced vendor stayed")
	}
	if n := len(templates.All()) - len(importer.DefaultTemplates().All()); n != 1 {
		t.Errorf("%d vendors more than built in, want 1", n)
	}
	for name, c := range map[string]struct{ file, want string }{
		"empty":           {"", "0 vendors"},
		"no YAML":         {"\x00{", ""},
		"unknown key":     {"vendors:\n- name: x\n  mian: rtsp://{host}/", "[3:3] unknown field"},
		"name":            {"vendors: [{name: Big, main: 'rtsp://{host}/'}]", "lower-case"},
		"no address":      {"vendors: [{name: x}]", "fill in main"},
		"scheme":          {"vendors: [{name: x, main: 'http://{host}/'}]", "main: the address must begin with rtsp://"},
		"placeholder":     {"vendors: [{name: x, main: 'rtsp://{host}/{chanel}'}]", "no placeholder"},
		"brace":           {"vendors: [{name: x, main: 'rtsp://{host}/{channel'}]", "brace"},
		"login":           {"vendors: [{name: x, main: 'rtsp://u:secret@{host}/'}]", "login"},
		"password":        {"vendors: [{name: x, sub: 'rtsp://{host}/?password=secret'}]", "password"},
		"below the first": {"vendors: [{name: x, sub: 'rtsp://{host}/{channel-2}'}]", "below"},
		"twice":           {"vendors: [{name: x, sub: 'rtsp://{host}/'}, {name: x, sub: 'rtsp://{host}/'}]", "taken"},
		"alias":           {"vendors: [{name: x, aliases: [dahua], sub: 'rtsp://{host}/'}]", "means both"},
		"channels":        {"vendors: [{name: x, channels: 2000, sub: 'rtsp://{host}/'}]", "0..1024"},
	} {
		_, err := importer.ParseTemplates([]byte(c.file))
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "u:secret") && name != "login" {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func FuzzParseTemplates(f *testing.F) {
	f.Add("vendors:\n- name: x\n  main: rtsp://{address}/{channel+32}\n", "h:1", 2)
	f.Add("vendors: [{name: x, still: 'http://{host}/'}]", "::1", 0)
	f.Fuzz(func(t *testing.T, file, address string, channel int) {
		templates, err := importer.ParseTemplates([]byte(file))
		if err != nil {
			return
		}
		for _, x := range templates.All() {
			if _, err := templates.Apply(x.Name, "192.0.2.1", 1); err != nil {
				t.Errorf("%s was taken and makes nothing: %v", x.Name, err)
			}
			_, _ = templates.Apply(x.Name, address, channel)
		}
	})
}

const linkHeader = "编码,名称,纬度,经度,主码流,子码流,抓图,传输方式,证书指纹,上联,巡检方式,厂商,ip,通道号\n"

// TestLinkColumns: the columns say how a camera is reached, in Chinese too,
// and come back from an export.
func TestLinkColumns(t *testing.T) {
	pin := strings.Repeat("AB:", 31) + "AB"
	file := linkHeader +
		line("a", "a", "30", "120", "", "rtsps://h/sub", "", "TCP", pin, "人民路交换机", "常驻", "", "", "") +
		line("b", "b", "30", "120", "", "rtsp://h/sub", "", "自动", "", "", "auto", "", "", "") +
		line("c", "c", "30", "120", "", "", "http://h/x.jpg", "udp", "", "", "抓图", "", "", "")
	p := cameras(t, file, inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 3 changed 0 same 0 rejected 0 removed 0")
	got := p.Change.Cameras
	if got[0].Link != (inventory.Link{Transport: inventory.TransportTCP, Pin: strings.Repeat("ab", 32), Uplink: "人民路交换机"}) || got[0].Patrol.Mode != inventory.ModeResident {
		t.Errorf("%+v %+v", got[0].Link, got[0].Patrol)
	}
	if got[1].Link != (inventory.Link{}) || got[1].Patrol.Mode != "" || got[2].Link.Transport != inventory.TransportUDP || got[2].Patrol.Mode != inventory.ModeStill {
		t.Errorf("%+v", got[1:])
	}
	have := applied(inventory.Snapshot{}, p)
	var out bytes.Buffer
	if err := importer.WriteCameras(&out, have.Cameras, importer.Format{}); err != nil {
		t.Fatal(err)
	}
	again := cameras(t, out.String(), have, importer.Options{Replace: true})
	wantCounts(t, again, "new 0 changed 0 same 3 rejected 0 removed 0")

	p = cameras(t, "id,transport,pin,uplink,mode\na,-,-,-,-\n", have, importer.Options{})
	wantCounts(t, p, "new 0 changed 1 same 0 rejected 0 removed 0")
	if c := p.Change.Cameras[0]; c.Link != (inventory.Link{}) || c.Patrol.Mode != "" {
		t.Errorf("cleared: %+v %+v", c.Link, c.Patrol)
	}
	p = cameras(t, "id,pin\nb,"+pin+"\n", have, importer.Options{})
	if w := p.Report.Warnings; len(w) != 1 || w[0].Code != "pin_unused" {
		t.Errorf("a pin without TLS: %+v", w)
	}
}

// TestVendorColumns: a row gets the addresses that it does not give.
func TestVendorColumns(t *testing.T) {
	file := linkHeader +
		line("a", "a", "30", "120", "", "", "", "", "", "", "", "大华", "192.0.2.7", "3") +
		line("b", "b", "30", "120", "-", "rtsp://other/sub", "-", "", "", "", "", "dahua", "192.0.2.7:8554", "")
	p := cameras(t, file, inventory.Snapshot{}, importer.Options{})
	wantCounts(t, p, "new 2 changed 0 same 0 rejected 0 removed 0")
	want := []inventory.Streams{{
		Main: "rtsp://192.0.2.7/cam/realmonitor?channel=3&subtype=0", Sub: "rtsp://192.0.2.7/cam/realmonitor?channel=3&subtype=1",
		Still: "http://192.0.2.7/cgi-bin/snapshot.cgi?channel=3",
	}, {Sub: "rtsp://other/sub"}}
	for i, c := range p.Change.Cameras {
		if c.Streams != want[i] {
			t.Errorf("%+v, want %+v", c.Streams, want[i])
		}
	}
	have := applied(inventory.Snapshot{}, p)
	p = cameras(t, "id,vendor,address\na,townhall,192.0.2.9\n", have, importer.Options{Templates: site(t)})
	if c := p.Change.Cameras; len(c) != 1 || c[0].Streams != (inventory.Streams{Main: "rtsp://192.0.2.9/1"}) {
		t.Errorf("a site's own template: %+v", c)
	}
	for _, c := range []struct{ row, code, reason string }{
		{"dahua,,", "address", "host:port"},
		{",192.0.2.7,", "vendor", "without the vendor"},
		{",,3", "vendor", "without the vendor"},
		{"dahau,192.0.2.7,", "vendor", "did you mean dahua?"},
		{"dahua,192.0.2.7,0", "channel", "from 1 to 1024"},
		{"dahua,admin:S3CRET@192.0.2.7,1", "address", "without a login"},
		{"uniview,192.0.2.7,2", "vendor", "channels 1 to 1"},
		{"-,192.0.2.7,2", "clear", "cannot be cleared"},
	} {
		p := cameras(t, "id,name,lat,lon,vendor,address,channel\nx,x,30,120,"+c.row+"\n", inventory.Snapshot{}, importer.Options{})
		if f := p.Report.Faults; len(f) == 0 || f[0].Code != c.code || !strings.Contains(f[0].Reason, c.reason) {
			t.Errorf("%s: %+v", c.row, f)
		}
		noSecret(t, p, "S3CRET")
	}
}

func site(t *testing.T) *importer.Templates {
	t.Helper()
	templates, err := importer.ParseTemplates([]byte("vendors: [{name: townhall, main: 'rtsp://{address}/{channel}'}]"))
	if err != nil {
		t.Fatal(err)
	}
	return templates
}

func TestLinkFaults(t *testing.T) {
	for _, c := range []struct{ column, value, code, reason string }{
		{"transport", "sctp", "transport", "auto, tcp or udp"},
		{"pin", "abc", "pin", "64 hexadecimal"},
		{"uplink", "=cmd", "formula", "spreadsheet"},
		{"uplink", strings.Repeat("长", 129), "long", "shorten"},
		{"mode", "often", "mode", "auto, resident, visit or still"},
		{"mode", "still", "mode", "fill in still"},
	} {
		p := cameras(t, "id,name,lat,lon,sub,"+c.column+"\nx,x,30,120,rtsp://h/,"+c.value+"\n", inventory.Snapshot{}, importer.Options{})
		if f := p.Report.Faults; len(f) != 1 || f[0].Code != c.code || f[0].Column != c.column || !strings.Contains(f[0].Reason, c.reason) {
			t.Errorf("%+v: %+v", c, f)
		}
	}
	p := cameras(t, "id,name,lat,lon,still,mode\nx,x,30,120,http://h/,visit\n", inventory.Snapshot{}, importer.Options{})
	if f := p.Report.Faults; len(f) != 1 || f[0].Code != "mode" || !strings.Contains(f[0].Reason, "fill in sub or main") {
		t.Errorf("a visit to a still: %+v", f)
	}
}
