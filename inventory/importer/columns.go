package importer

import (
	"fmt"
	"slices"
	"strings"

	"videopatrol/inventory"
)

// column is one column of the camera file.
type column struct {
	name    string
	aliases []string
	at      int // its place in columns and row.cells
	// set takes a cell that is not empty, clear one that is "-"; a nil clear
	// means that the column cannot be cleared.
	set   func(d *draft, cell string) *fault
	clear func(d *draft)
	// get is the cell of a camera when it is written out; nil means that the
	// column is only read.
	get func(c inventory.Camera) string
	// show is the cell as it may be repeated.
	show func(cell string) string
}

// columns are in the order in which a row is read and written.
var columns = numbered([]*column{
	{name: "id", aliases: []string{"code", "编码", "国标编码", "设备编码", "编号"}, set: setNothing, get: func(c inventory.Camera) string { return c.ID }},
	{name: "name", aliases: []string{"名称", "点位名称", "摄像机名称"}, set: setName, get: func(c inventory.Camera) string { return c.Name }},
	{name: "owner", aliases: []string{"归属", "所属单位", "产权单位"}, set: setOwner, clear: func(d *draft) { d.Owner = "" }, get: func(c inventory.Camera) string { return c.Owner }},
	{name: "lat", aliases: []string{"latitude", "纬度"}, set: setLat, get: func(c inventory.Camera) string { return degrees(c.Position.Lat) }},
	{name: "lon", aliases: []string{"lng", "longitude", "经度"}, set: setLon, get: func(c inventory.Camera) string { return degrees(c.Position.Lon) }},
	{name: "crs", aliases: []string{"坐标系"}, set: setCRS, get: func(inventory.Camera) string { return "wgs84" }},
	{name: "main", aliases: []string{"主码流"}, set: setMain, clear: func(d *draft) { d.Streams.Main = "" }, get: func(c inventory.Camera) string { return c.Streams.Main }, show: hideLogin},
	{name: "sub", aliases: []string{"子码流", "辅码流"}, set: setSub, clear: func(d *draft) { d.Streams.Sub = "" }, get: func(c inventory.Camera) string { return c.Streams.Sub }, show: hideLogin},
	{name: "still", aliases: []string{"snapshot", "抓图", "抓拍地址", "截图地址"}, set: setStill, clear: func(d *draft) { d.Streams.Still = "" }, get: func(c inventory.Camera) string { return c.Streams.Still }, show: hideLogin},
	{name: "username", aliases: []string{"user", "用户名"}, set: setUsername, clear: func(d *draft) { d.Login.Username = "" }, get: func(c inventory.Camera) string { return c.Login.Username }},
	{name: "password", aliases: []string{"密码"}, set: setPassword, clear: func(d *draft) { d.Login.Password = "" }, get: func(inventory.Camera) string { return "" }, show: func(string) string { return "" }},
	{name: "tier", aliases: []string{"等级", "巡检等级"}, set: setTier, clear: func(d *draft) { d.Patrol.Tier = inventory.TierNormal }, get: func(c inventory.Camera) string { return string(c.Patrol.Tier) }},
	{name: "interval", aliases: []string{"间隔", "巡检间隔"}, set: setInterval, clear: func(d *draft) { d.Patrol.Interval = 0 }, get: func(c inventory.Camera) string { return duration(c.Patrol.Interval) }},
	{name: "zones", aliases: []string{"区域", "检测区域"}, set: setZones, clear: func(d *draft) { d.Zones = nil }, get: zonesCell},
	{name: "masks", aliases: []string{"遮挡", "隐私遮挡"}, set: setMasks, clear: func(d *draft) { d.Masks = nil }, get: masksCell},
	{name: "disabled", aliases: []string{"停用", "禁用"}, set: setDisabled, clear: func(d *draft) { d.Disabled = false }, get: func(c inventory.Camera) string { return fmt.Sprint(c.Disabled) }},

	{name: "transport", aliases: []string{"传输方式", "传输协议"}, set: setTransport, clear: func(d *draft) { d.Link.Transport = "" }, get: func(c inventory.Camera) string { return string(c.Link.Transport) }},
	{name: "pin", aliases: []string{"证书指纹"}, set: setPin, clear: func(d *draft) { d.Link.Pin = "" }, get: func(c inventory.Camera) string { return c.Link.Pin }},
	{name: "uplink", aliases: []string{"上联", "链路", "上联链路"}, set: setUplink, clear: func(d *draft) { d.Link.Uplink = "" }, get: func(c inventory.Camera) string { return c.Link.Uplink }},
	{name: "mode", aliases: []string{"巡检方式"}, set: setMode, clear: func(d *draft) { d.Patrol.Mode = "" }, get: func(c inventory.Camera) string { return string(c.Patrol.Mode) }},

	// From these three the addresses are made that the row does not give.
	{name: "vendor", aliases: []string{"厂商", "厂家", "品牌"}, set: setVendor},
	{name: "address", aliases: []string{"ip", "ip地址", "地址"}, set: setAddress, show: hideLogin},
	{name: "channel", aliases: []string{"通道", "通道号"}, set: setChannel},
})

// errorsColumn is what an errors file adds; a mended one is read again.
const errorsColumn = "错误"

var (
	columnID       = columns[0]
	columnLat      = columns[3]
	columnLon      = columns[4]
	columnCRS      = columns[5]
	columnMain     = columns[6]
	columnSub      = columns[7]
	columnStill    = columns[8]
	columnPassword = columns[10]
	columnPin      = columns[17]
	columnMode     = columns[19]
	columnVendor   = columns[20]
	columnAddress  = columns[21]
)

func numbered(all []*column) []*column {
	for i, c := range all {
		c.at = i
		if c.show == nil {
			c.show = show
		}
	}
	return all
}

// findColumn is the column that a header names; nil is one to ignore.
func findColumn(header string) (*column, error) {
	key := strings.ToLower(header)
	if key == errorsColumn {
		return nil, nil //nolint:nilnil // to be ignored is an answer, not an error
	}
	nearest, best := "", 3
	var known []string
	for _, c := range columns {
		for _, name := range append([]string{c.name}, c.aliases...) {
			if key == name {
				return c, nil
			}
			if d := distance(key, name); d < best && d < len([]rune(name)) {
				nearest, best = name, d
			}
		}
		known = append(known, c.name)
	}
	if nearest != "" {
		return nil, fmt.Errorf("no such column; did you mean %s?", nearest)
	}
	return nil, fmt.Errorf("no such column: remove it, or use one of %s", strings.Join(known, ", "))
}

// distance is how many letters must be added, dropped or changed to make b of
// a (Levenshtein).
func distance(a, b string) int {
	s, t := []rune(a), []rune(b)
	if len(s) > 64 {
		return len(s)
	}
	row := make([]int, len(t)+1)
	for j := range row {
		row[j] = j
	}
	for i, r := range s {
		diagonal := row[0]
		row[0] = i + 1
		for j, u := range t {
			cost := 1
			if r == u {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], slices.Min([]int{row[j] + 1, row[j+1] + 1, diagonal + cost})
		}
	}
	return row[len(t)]
}
