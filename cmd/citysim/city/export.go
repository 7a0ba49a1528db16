package city

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"

	"videopatrol/inventory"
)

// Columns are the columns of the CSV, in order.
func Columns() []string {
	return []string{
		"id", "name", "owner", "lat", "lon", "crs", "main", "sub", "still", "username", "password",
		"tier", "interval", "zones", "masks", "disabled",
	}
}

type zoneRow struct {
	ID    string             `json:"id"`
	Name  string             `json:"name"`
	Kind  inventory.ZoneKind `json:"kind"`
	Area  inventory.Polygon  `json:"area"`
	Dwell string             `json:"dwell,omitempty"`
	Hours []inventory.Hours  `json:"hours,omitempty"`
}

// WriteCSV writes the cameras, a header line first, with the cameras' logins.
func (c *City) WriteCSV(w io.Writer) error {
	out := csv.NewWriter(w)
	if err := out.Write(Columns()); err != nil {
		return fmt.Errorf("write cameras: %w", err)
	}
	for _, cam := range c.Cameras {
		row, err := cameraRow(cam)
		if err != nil {
			return err
		}
		if err := out.Write(row); err != nil {
			return fmt.Errorf("write camera %s: %w", cam.ID, err)
		}
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write cameras: %w", err)
	}
	return nil
}

func cameraRow(cam inventory.Camera) ([]string, error) {
	zones := make([]zoneRow, 0, len(cam.Zones))
	for _, z := range cam.Zones {
		row := zoneRow{ID: z.ID, Name: z.Name, Kind: z.Kind, Area: z.Area, Hours: z.Hours}
		if z.Dwell > 0 {
			row.Dwell = short(z.Dwell)
		}
		zones = append(zones, row)
	}
	zoneCell, err := jsonCell(len(zones), zones)
	if err != nil {
		return nil, fmt.Errorf("zones of camera %s: %w", cam.ID, err)
	}
	maskCell, err := jsonCell(len(cam.Masks), cam.Masks)
	if err != nil {
		return nil, fmt.Errorf("masks of camera %s: %w", cam.ID, err)
	}
	return []string{
		cam.ID, cam.Name, cam.Owner, degrees(cam.Position.Lat), degrees(cam.Position.Lon), "wgs84",
		cam.Streams.Main, cam.Streams.Sub, cam.Streams.Still, cam.Login.Username, cam.Login.Password.Reveal(),
		string(cam.Patrol.Tier), short(cam.Patrol.Interval), zoneCell, maskCell, strconv.FormatBool(cam.Disabled),
	}, nil
}

func jsonCell(n int, v any) (string, error) {
	if n == 0 {
		return "", nil
	}
	b, err := json.Marshal(v)
	return string(b), err
}

func degrees(x float64) string { return strconv.FormatFloat(x, 'f', -1, 64) }

// short writes a duration of whole seconds as people do: 20s, not 0h0m20s.
func short(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return strconv.FormatFloat(d.Seconds(), 'f', -1, 64) + "s"
}

type feature struct {
	Type       string     `json:"type"`
	Properties properties `json:"properties"`
	Geometry   geometry   `json:"geometry"`
}

type properties struct {
	Code   string          `json:"code"`
	Name   string          `json:"name"`
	Level  inventory.Level `json:"level"`
	Parent string          `json:"parent,omitempty"`
}

type geometry struct {
	Type        string         `json:"type"`
	Coordinates [][][2]float64 `json:"coordinates"`
}

// WriteGeoJSON writes the cells as an RFC 7946 FeatureCollection, one feature
// a line, parents before children.
func (c *City) WriteGeoJSON(w io.Writer) error {
	if _, err := io.WriteString(w, `{"type":"FeatureCollection","features":[`); err != nil {
		return fmt.Errorf("write cells: %w", err)
	}
	sep := "\n"
	for _, cell := range c.Cells {
		f := feature{
			Type:       "Feature",
			Properties: properties{Code: cell.ID, Name: cell.Name, Level: cell.Level, Parent: cell.Parent},
			Geometry:   geometry{Type: "Polygon"},
		}
		for _, ring := range cell.Area[0] {
			coords := make([][2]float64, len(ring))
			for i, p := range ring {
				coords[i] = [2]float64{p.Lon, p.Lat}
			}
			f.Geometry.Coordinates = append(f.Geometry.Coordinates, coords)
		}
		b, err := json.Marshal(f)
		if err != nil {
			return fmt.Errorf("cell %s: %w", cell.ID, err)
		}
		if _, err := io.WriteString(w, sep+string(b)); err != nil {
			return fmt.Errorf("write cells: %w", err)
		}
		sep = ",\n"
	}
	if _, err := io.WriteString(w, "\n]}\n"); err != nil {
		return fmt.Errorf("write cells: %w", err)
	}
	return nil
}
