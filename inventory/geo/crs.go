package geo

import (
	"fmt"
	"math"
	"strings"

	"videopatrol/inventory"
)

// CRS is a coordinate reference system that positions may be written in.
type CRS string

// The systems. CGCS2000 is WGS-84 for our purpose: they differ by centimetres.
const (
	WGS84 CRS = "wgs84"
	GCJ02 CRS = "gcj02" // Amap, Tencent
	BD09  CRS = "bd09"  // Baidu
)

var plain = strings.NewReplacer("-", "", "_", "", " ", "")

// ParseCRS reads a system's name, however it is capitalised or hyphenated.
func ParseCRS(s string) (CRS, error) {
	switch plain.Replace(strings.ToLower(s)) {
	case "wgs84", "cgcs2000", "epsg4326", "epsg4490":
		return WGS84, nil
	case "gcj02":
		return GCJ02, nil
	case "bd09", "bd09ll":
		return BD09, nil
	}
	return "", fmt.Errorf("no such coordinate system %q (want wgs84, gcj02 or bd09)", s)
}

// ToWGS84 turns a position in system c into WGS-84, to better than 0.5 m.
// Outside China the systems are the same.
func (c CRS) ToWGS84(p inventory.Position) inventory.Position {
	switch c {
	case GCJ02:
		return GCJ02ToWGS84(p)
	case BD09:
		return GCJ02ToWGS84(BD09ToGCJ02(p))
	default:
		return p
	}
}

// FromWGS84 turns a WGS-84 position into system c.
func (c CRS) FromWGS84(p inventory.Position) inventory.Position {
	switch c {
	case GCJ02:
		return WGS84ToGCJ02(p)
	case BD09:
		return GCJ02ToBD09(WGS84ToGCJ02(p))
	default:
		return p
	}
}

// Krasovsky 1940, the ellipsoid of the offset formula: semi-major axis in
// metres and first eccentricity squared.
const (
	krasovskyA  = 6378245.0
	krasovskyE2 = 0.00669342162296594323
)

// InChina tells whether a position lies in the rectangle to which GCJ-02
// applies (the one that the published formula uses).
func InChina(p inventory.Position) bool {
	return p.Lon >= 72.004 && p.Lon <= 137.8347 && p.Lat >= 0.8293 && p.Lat <= 55.8271
}

// WGS84ToGCJ02 shifts a position as the maps of Amap and Tencent do. China
// never published GCJ-02; the formula is the one of EvilTransform (2013,
// github.com/googollee/eviltransform), which all open map tools share.
func WGS84ToGCJ02(p inventory.Position) inventory.Position {
	if !InChina(p) {
		return p
	}
	return gcj(p)
}

// GCJ02ToWGS84 takes back WGS84ToGCJ02. There is no closed inverse: one step
// with the offset at the shifted place is metres off, so it is repeated until
// it no longer moves (error well below a millimetre).
func GCJ02ToWGS84(p inventory.Position) inventory.Position {
	if !InChina(p) {
		return p
	}
	return invert(p, gcj)
}

// GCJ02ToBD09 shifts a GCJ-02 position once more, as Baidu's maps do (same
// source as WGS84ToGCJ02).
func GCJ02ToBD09(p inventory.Position) inventory.Position {
	if !InChina(p) {
		return p
	}
	return bd(p)
}

// BD09ToGCJ02 takes back GCJ02ToBD09, by repetition as GCJ02ToWGS84 does.
func BD09ToGCJ02(p inventory.Position) inventory.Position {
	if !InChina(p) {
		return p
	}
	return invert(p, bd)
}

func gcj(p inventory.Position) inventory.Position {
	x, y := p.Lon-105, p.Lat-35
	root := math.Sqrt(math.Abs(x))
	wave := 20*math.Sin(6*x*math.Pi) + 20*math.Sin(2*x*math.Pi)
	dLat := -100 + 2*x + 3*y + 0.2*y*y + 0.1*x*y + 0.2*root
	dLat += (wave + 20*math.Sin(y*math.Pi) + 40*math.Sin(y/3*math.Pi) +
		160*math.Sin(y/12*math.Pi) + 320*math.Sin(y/30*math.Pi)) * 2 / 3
	dLon := 300 + x + 2*y + 0.1*x*x + 0.1*x*y + 0.1*root
	dLon += (wave + 20*math.Sin(x*math.Pi) + 40*math.Sin(x/3*math.Pi) +
		150*math.Sin(x/12*math.Pi) + 300*math.Sin(x/30*math.Pi)) * 2 / 3

	phi := p.Lat * math.Pi / 180
	w2 := 1 - krasovskyE2*math.Sin(phi)*math.Sin(phi)
	meridian := krasovskyA * (1 - krasovskyE2) / (w2 * math.Sqrt(w2))
	parallel := krasovskyA / math.Sqrt(w2) * math.Cos(phi)
	return inventory.Position{
		Lat: p.Lat + dLat/meridian*180/math.Pi,
		Lon: p.Lon + dLon/parallel*180/math.Pi,
	}
}

func bd(p inventory.Position) inventory.Position {
	const k = math.Pi * 3000 / 180
	r := math.Hypot(p.Lon, p.Lat) + 0.00002*math.Sin(p.Lat*k)
	theta := math.Atan2(p.Lat, p.Lon) + 0.000003*math.Cos(p.Lon*k)
	return inventory.Position{Lat: r*math.Sin(theta) + 0.006, Lon: r*math.Cos(theta) + 0.0065}
}

// invert finds the place that shift moves to p. Each round shrinks the error
// some hundredfold; 1e-10 degrees is a hundredth of a millimetre.
func invert(p inventory.Position, shift func(inventory.Position) inventory.Position) inventory.Position {
	q := p
	for range 20 {
		s := shift(q)
		dLat, dLon := s.Lat-p.Lat, s.Lon-p.Lon
		q.Lat -= dLat
		q.Lon -= dLon
		if math.Abs(dLat) < 1e-10 && math.Abs(dLon) < 1e-10 {
			break
		}
	}
	return q
}
