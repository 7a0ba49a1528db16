package importer

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"videopatrol/inventory"
)

// Format says how a CSV file is written.
type Format struct {
	// BOM begins the file with a byte order mark, so that Excel reads it as
	// UTF-8.
	BOM bool
}

// WriteCameras writes cameras as a file that Cameras finds the same in every
// row. The password column is there, and empty. Addresses are written as they
// are, and not the vendor that they were made from.
func WriteCameras(w io.Writer, cameras []inventory.Camera, f Format) error {
	var header []string
	for _, c := range columns {
		if c.get != nil {
			header = append(header, c.name)
		}
	}
	return writeCSV(w, f, header, func(write func([]string) error) error {
		record := make([]string, 0, len(header))
		for _, cam := range cameras {
			record = record[:0]
			for _, c := range columns {
				if c.get != nil {
					record = append(record, c.get(cam))
				}
			}
			if err := write(record); err != nil {
				return fmt.Errorf("write camera %s: %w", cam.ID, err)
			}
		}
		return nil
	})
}

// WriteErrors writes the rejected rows of a CSV file as they were, without
// passwords, and a column 错误 that says what to mend. The mended file can be
// imported as it is; a new camera's password must be filled in again.
func (r Report) WriteErrors(w io.Writer, f Format) error {
	header := slices.DeleteFunc(slices.Clone(r.header), func(s string) bool { return s == errorsColumn })
	return writeCSV(w, f, append(header, errorsColumn), func(write func([]string) error) error {
		for _, row := range r.rejected {
			record := make([]string, 0, len(header)+1)
			for i, cell := range row.cells {
				if i < len(r.header) && r.header[i] != errorsColumn {
					record = append(record, cell)
				}
			}
			if err := write(append(record, strings.Join(row.reasons, "; "))); err != nil {
				return fmt.Errorf("write the errors file: %w", err)
			}
		}
		return nil
	})
}

func writeCSV(w io.Writer, f Format, header []string, rows func(write func([]string) error) error) error {
	if f.BOM {
		if _, err := io.WriteString(w, bom); err != nil {
			return fmt.Errorf("write CSV: %w", err)
		}
	}
	out := csv.NewWriter(w)
	if err := out.Write(header); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	if err := rows(out.Write); err != nil {
		return err
	}
	out.Flush()
	if err := out.Error(); err != nil {
		return fmt.Errorf("write CSV: %w", err)
	}
	return nil
}

// WriteGrid writes a grid as a GeoJSON FeatureCollection (RFC 7946), one
// feature a line, that GeoJSON finds the same in every cell.
func WriteGrid(w io.Writer, grid *inventory.Grid) error {
	out := bufio.NewWriter(w)
	sep := `{"type":"FeatureCollection","features":[` + "\n"
	if grid != nil {
		for _, c := range grid.Cells {
			b, err := json.Marshal(cellFeature(c))
			if err != nil {
				return fmt.Errorf("write cell %s: %w", c.ID, err)
			}
			_, _ = out.WriteString(sep) // Flush tells of errors
			_, _ = out.Write(b)
			sep = ",\n"
		}
	}
	if strings.HasPrefix(sep, "{") {
		_, _ = out.WriteString(sep)
	}
	_, _ = out.WriteString("\n]}\n")
	if err := out.Flush(); err != nil {
		return fmt.Errorf("write the grid: %w", err)
	}
	return nil
}

func cellFeature(c inventory.Cell) map[string]any {
	area := make([][][][2]float64, len(c.Area))
	for i, rings := range c.Area {
		area[i] = make([][][2]float64, len(rings))
		for j, ring := range rings {
			area[i][j] = make([][2]float64, len(ring))
			for k, p := range ring {
				area[i][j][k] = [2]float64{p.Lon, p.Lat}
			}
		}
	}
	geometry := map[string]any{"type": "MultiPolygon", "coordinates": area}
	if len(area) == 1 {
		geometry = map[string]any{"type": "Polygon", "coordinates": area[0]}
	}
	properties := map[string]any{"code": c.ID, "name": c.Name, "level": c.Level}
	if c.Parent != "" {
		properties["parent"] = c.Parent
	}
	return map[string]any{"type": "Feature", "properties": properties, "geometry": geometry}
}
