// Package icons holds the pictures of the tray and of the program, drawn by this project.
//
// The drawings are in svg; every other file is made from them by the command in
// gen. Each of the tray's icons has a shape of its own, so that nobody needs
// their colours, and colours that stand out from dark and light panels alike.
package icons

import (
	"embed"
	"path"
	"slices"
	"strconv"
)

//go:generate go run ./gen .

//go:embed svg/app.svg png ico template
var made embed.FS

// Image is one icon of the tray in the forms that systems want. Its bytes are
// the caller's own.
type Image struct {
	// PNG has the coloured icon by its size in pixels, which Sizes lists.
	PNG map[int][]byte
	// ICO has the coloured icon for Windows in all sizes from 16 to 64 pixels.
	ICO []byte
	// Template is black with the shape as its alpha, a PNG of 16 pixels, for
	// macOS, which colours it as its menu bar needs (NSImage.isTemplate);
	// Template2x is the same of 32 pixels for screens of twice the density.
	Template, Template2x []byte
}

// AppIcon is the icon of the program, for its entry in a menu or on a taskbar. Its
// bytes are the caller's own.
type AppIcon struct {
	SVG []byte
	PNG map[int][]byte // by size in pixels: 16, 24, 32, 48, 64, 128, 256
	ICO []byte         // 16 to 256 pixels
}

// Names lists the icons of the tray.
func Names() []string {
	return []string{"healthy", "attention", "closed", "connecting", "signed_out", "offline"}
}

// Sizes lists the sizes of the tray's icons in pixels, from the smallest.
func Sizes() []int { return []int{16, 20, 22, 24, 32, 48, 64} }

// Tray gives the icon of the tray with that name, false if there is none.
func Tray(name string) (Image, bool) {
	if !slices.Contains(Names(), name) {
		return Image{}, false
	}
	return Image{
		PNG: pngs(name, Sizes()), ICO: read("ico", name+".ico"),
		Template: read("template", name+".png"), Template2x: read("template", name+"-2x.png"),
	}, true
}

// App gives the icon of the program.
func App() AppIcon {
	return AppIcon{SVG: read("svg", "app.svg"), PNG: pngs("app", []int{16, 24, 32, 48, 64, 128, 256}), ICO: read("ico", "app.ico")}
}

func pngs(name string, sizes []int) map[int][]byte {
	all := map[int][]byte{}
	for _, size := range sizes {
		all[size] = read("png", name+"-"+strconv.Itoa(size)+".png")
	}
	return all
}

// read gives a copy of a file that is known to be there: a test reads all.
func read(folder, name string) []byte {
	data, err := made.ReadFile(path.Join(folder, name))
	if err != nil {
		return nil
	}
	return data
}
