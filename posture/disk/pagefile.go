package disk

import (
	"context"
	"slices"
	"strings"

	"github.com/postern-zt/postern/posture/evidence"
	"github.com/postern-zt/postern/posture/fact"
)

const memoryKey = `HKLM\SYSTEM\CurrentControlSet\Control\Session Manager\Memory Management`

// pageFiles tells whether memory is paged to a volume that is not protected.
// The system writes the paging files in use to ExistingPageFiles.
func pageFiles(ctx context.Context, r *evidence.Reading, volumes []volume) truth {
	all := yes()
	for _, v := range volumes {
		if v.data && v.clash == nil {
			all = both(all, v.protected)
		}
	}
	key, err := r.Machine().Registry(ctx, memoryKey)
	if err != nil {
		if all.is(true) && slices.ContainsFunc(volumes, func(v volume) bool { return v.system && v.clash == nil }) {
			return no("") // wherever they are
		}
		return unclear(evidence.ReasonOf(err))
	}
	r.From(memoryKey)
	files, there := key.Strings("ExistingPageFiles")
	if !there {
		files, there = key.Strings("PagingFiles")
	}
	if !there {
		return unclear(fact.ReasonNotFound)
	}
	return pagedTo(files, volumes)
}

func pagedTo(files []string, volumes []volume) truth {
	closed := yes()
	for _, file := range files {
		file = strings.TrimPrefix(strings.TrimSpace(file), `\??\`)
		if file == "" {
			continue
		}
		on := unclear(fact.ReasonNotFound)
		for _, v := range volumes {
			// "?:\pagefile.sys" leaves the choice to Windows, which takes its own drive.
			if v.key == driveLetter(file[:1]) || v.system && file[0] == '?' {
				if on = v.protected; v.clash != nil {
					on = unclear(fact.ReasonDisagree)
				}
			}
		}
		closed = both(closed, on)
	}
	return closed.flipped()
}
