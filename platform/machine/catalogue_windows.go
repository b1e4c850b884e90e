package machine

import (
	"encoding/hex"
	"strings"
	"unsafe"

	"golang.org/x/sys/windows"
)

// catalogueInfo is CATALOG_INFO (mscat.h).
type catalogueInfo struct {
	size uint32
	file [windows.MAX_PATH]uint16
}

// catalogueChoice is WINTRUST_CATALOG_INFO (wintrust.h).
type catalogueChoice struct {
	size, version        uint32
	catalogue, tag, file *uint16
	handle               windows.Handle
	hash                 *byte
	hashSize             uint32
	context              unsafe.Pointer
	admin                uintptr
}

// catalogues are the functions that look files up in the system's catalogues,
// by their names in wintrust.dll without CryptCATAdmin.
type catalogues map[string]*windows.LazyProc

func openCatalogues() (catalogues, error) {
	c := catalogues{}
	for _, name := range []string{
		"AcquireContext2", "ReleaseContext", "CalcHashFromFileHandle2", "EnumCatalogFromHash", "ReleaseCatalogContext",
	} {
		p, err := procedure("wintrust.dll", "CryptCATAdmin"+name)
		if err != nil {
			return nil, err
		}
		c[name] = p
	}
	p, err := procedure("wintrust.dll", "CryptCATCatalogInfoFromContext")
	c["Info"] = p
	return c, err
}

// verifyByCatalogue looks a file up by its hash; found is false when no
// catalogue lists it. Catalogues list SHA-256 or, older ones, SHA-1 hashes.
func verifyByCatalogue(path string) (s signature, found bool) {
	c, err := openCatalogues()
	if err != nil {
		return signature{}, false
	}
	file, err := windows.CreateFile(wideText(path), windows.GENERIC_READ, windows.FILE_SHARE_READ|windows.FILE_SHARE_WRITE|windows.FILE_SHARE_DELETE,
		nil, windows.OPEN_EXISTING, 0, 0)
	if err != nil {
		return signature{}, false
	}
	defer windows.CloseHandle(file)
	for _, algorithm := range []string{"SHA256", "SHA1"} {
		if s, found := c.verify(path, file, algorithm); found {
			return s, true
		}
	}
	return signature{}, false
}

func (c catalogues) verify(path string, file windows.Handle, algorithm string) (signature, bool) {
	var admin uintptr
	ok, _, _ := c["AcquireContext2"].Call(uintptr(unsafe.Pointer(&admin)), 0, uintptr(unsafe.Pointer(wideText(algorithm))), 0, 0)
	if ok == 0 {
		return signature{}, false
	}
	defer c["ReleaseContext"].Call(admin, 0)
	var hash [64]byte
	size := uint32(len(hash))
	ok, _, _ = c["CalcHashFromFileHandle2"].Call(admin, uintptr(file), uintptr(unsafe.Pointer(&size)), uintptr(unsafe.Pointer(&hash[0])), 0)
	if ok == 0 || size == 0 || int(size) > len(hash) {
		return signature{}, false
	}
	catalogue, _, _ := c["EnumCatalogFromHash"].Call(admin, uintptr(unsafe.Pointer(&hash[0])), uintptr(size), 0, 0)
	if catalogue == 0 {
		return signature{}, false
	}
	defer c["ReleaseCatalogContext"].Call(admin, catalogue, 0)
	info := catalogueInfo{}
	info.size = uint32(unsafe.Sizeof(info))
	if ok, _, _ = c["Info"].Call(catalogue, uintptr(unsafe.Pointer(&info)), 0); ok == 0 {
		return signature{}, false
	}
	choice := catalogueChoice{
		catalogue: &info.file[0], tag: wideText(strings.ToUpper(hex.EncodeToString(hash[:size]))), file: wideText(path),
		hash: &hash[0], hashSize: size, admin: admin,
	}
	choice.size = uint32(unsafe.Sizeof(choice))
	s, _ := verify(windows.WTD_CHOICE_CATALOG, unsafe.Pointer(&choice))
	return s, true
}
