package programs

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/postern-zt/postern/client/localapi"
	"github.com/postern-zt/postern/posture/fact"
)

// From the administrator's file to the agent's reading, while everything runs:
// what is to be read first, then the check that stands on it. What is open goes
// on; it ends when the file is gone, and comes back with it.
func TestObservationsReload(t *testing.T) {
	r := signedIn(t)
	marker := filepath.Join(t.TempDir(), "marker")
	r.must(os.WriteFile(marker, []byte("x"), 0o644))
	path := r.File("dev/policy.yaml")
	old, err := os.ReadFile(path)
	r.must(err)
	kept := r.stream("wiki", "observed")
	watched := string(old) + fmt.Sprintf(`observations:
  read:
    - {id: org/marker, kind: file, path: %s}
  edr:
    - {id: org/edr, name: Test, linux: [{executable: %s}]}
`, marker, r.edr.Executable)
	r.must(os.WriteFile(path, []byte(watched), 0o600))
	local := localapi.Dial(r.agent.Socket())
	t.Cleanup(local.Close)
	r.until("the agent reads what is asked for", func() (bool, error) {
		reading, err := local.Posture(t.Context())
		if err != nil {
			return false, err
		}
		custom, _ := reading.Report.Signal(fact.SignalCustom)
		products, _ := reading.Report.Signal(fact.SignalEDR)
		there, _ := custom.Find("org/marker", "present")
		runs, _ := products.Find("org/edr", "running")
		return there.Value == fact.Bool(true) && runs.Value == fact.Bool(true), fmt.Errorf("%+v, %+v", custom, products)
	})
	checked := strings.Replace(watched, `device.edr["local/test-edr"].running`, `device.edr["org/edr"].running && device.custom["org/marker"].present`, 1)
	r.must(os.WriteFile(path, []byte(checked), 0o600))
	r.goesOn(kept, 5*time.Second)
	r.must(os.Remove(marker))
	if _, err := kept.WaitEnd(t.Context(), patience); err != nil {
		t.Fatal(err)
	}
	r.must(os.WriteFile(marker, []byte("x"), 0o644))
	r.fetch("wiki")
}
