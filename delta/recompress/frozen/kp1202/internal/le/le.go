// Frozen: recipes name this encoder by its output. Never edit; see freeze.sh.

package le

type Indexer interface {
	int | int8 | int16 | int32 | int64 | uint | uint8 | uint16 | uint32 | uint64
}
