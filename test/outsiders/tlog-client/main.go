// Checks a log served as C2SP tlog-tiles with the packages note and tlog of golang.org/x/mod/sumdb, which know nothing of
// this project: `tlog-client URL VERIFIER-KEY [OLDER-CHECKPOINT-FILE…]`.
// It opens the checkpoint, reads every tile and every entry bundle, recomputes the root, proves and checks inclusion of
// many entries, and consistency with each older checkpoint. Exit code 0: everything held.
package main

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const height = 8

var prefix string

func main() {
	prefix = os.Args[1]
	verifier, err := note.NewVerifier(os.Args[2])
	check(err)
	signed, err := get("checkpoint")
	check(err)
	head, err := open(signed, verifier)
	check(err)

	// Tiles are believed only when they hash to the checkpoint's root.
	hashes := tlog.TileHashReader(head, tiles{})
	root, err := tlog.TreeHash(head.N, hashes)
	check(err)
	if root != head.Hash {
		fail("the tiles give another root")
	}
	widths := map[string]int{}
	for level := 0; head.N>>(height*level) > 0; level++ {
		count := head.N >> (height * level)
		for index := int64(0); index*256 < count; index++ {
			width := 256
			if rest := count - index*256; rest < 256 {
				width = int(rest)
			}
			tile := tlog.Tile{H: height, L: level, N: index, W: width}
			_, err := tiles{}.ReadTiles([]tlog.Tile{tile})
			check(err)
			if width == 256 {
				widths[fmt.Sprintf("level %d full", level)]++
			} else {
				widths[fmt.Sprintf("level %d partial %d", level, width)]++
			}
		}
	}

	entries := int64(0)
	for index := int64(0); index*256 < head.N; index++ {
		width := head.N - index*256
		suffix := fmt.Sprintf(".p/%d", width)
		if width >= 256 {
			width, suffix = 256, ""
		}
		path := tlog.Tile{H: height, L: 0, N: index, W: 256}.Path()
		bundle, err := get("tile/entries/" + strings.TrimPrefix(path, "tile/8/0/") + suffix)
		check(err)
		indexes := make([]int64, width)
		for i := range indexes {
			indexes[i] = tlog.StoredHashIndex(0, index*256+int64(i))
		}
		leaves, err := hashes.ReadHashes(indexes)
		check(err)
		for i := int64(0); i < width; i++ {
			if len(bundle) < 2 || len(bundle) < 2+int(binary.BigEndian.Uint16(bundle)) {
				fail("an entry bundle ends too early")
			}
			length := 2 + int(binary.BigEndian.Uint16(bundle))
			if tlog.RecordHash(bundle[2:length]) != leaves[i] {
				fail(fmt.Sprintf("entry %d is not the one of its tile", index*256+i))
			}
			bundle = bundle[length:]
			entries++
		}
		if len(bundle) != 0 {
			fail("an entry bundle holds more than its entries")
		}
	}

	proofs := 0
	for index := int64(0); index < head.N; index += head.N/50 + 1 {
		proof, err := tlog.ProveRecord(head.N, index, hashes)
		check(err)
		leaf, err := hashes.ReadHashes([]int64{tlog.StoredHashIndex(0, index)})
		check(err)
		check(tlog.CheckRecord(proof, head.N, head.Hash, index, leaf[0]))
		proofs++
	}
	for _, path := range os.Args[3:] {
		bytes, err := os.ReadFile(path)
		check(err)
		older, err := open(bytes, verifier)
		check(err)
		proof, err := tlog.ProveTree(head.N, older.N, hashes)
		check(err)
		check(tlog.CheckTree(proof, head.N, head.Hash, older.N, older.Hash))
	}
	for name, count := range widths {
		fmt.Printf("%s: %d\n", name, count)
	}
	fmt.Printf("size %d, entries %d, inclusions %d, consistencies %d\n", head.N, entries, proofs, len(os.Args)-3)
}

// open reads a C2SP checkpoint: origin, size, root.
func open(signed []byte, verifier note.Verifier) (tlog.Tree, error) {
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		return tlog.Tree{}, err
	}
	lines := strings.Split(opened.Text, "\n")
	if len(lines) < 4 || lines[0] != verifier.Name() {
		return tlog.Tree{}, fmt.Errorf("not a checkpoint of %s", verifier.Name())
	}
	size, err := strconv.ParseInt(lines[1], 10, 64)
	if err != nil {
		return tlog.Tree{}, err
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil || len(root) != tlog.HashSize {
		return tlog.Tree{}, fmt.Errorf("not a root: %s", lines[2])
	}
	tree := tlog.Tree{N: size}
	copy(tree.Hash[:], root)
	return tree, nil
}

type tiles struct{}

func (tiles) Height() int { return height }

func (tiles) SaveTiles([]tlog.Tile, [][]byte) {}

var cache = map[string][]byte{}

func (tiles) ReadTiles(wanted []tlog.Tile) ([][]byte, error) {
	var data [][]byte
	for _, tile := range wanted {
		path := strings.Replace(tile.Path(), "tile/8/", "tile/", 1)
		bytes, known := cache[path]
		if !known {
			var err error
			if bytes, err = get(path); err != nil {
				return nil, err
			}
			if len(bytes) != tile.W*tlog.HashSize {
				return nil, fmt.Errorf("%s has %d bytes", path, len(bytes))
			}
			cache[path] = bytes
		}
		data = append(data, bytes)
	}
	return data, nil
}

func get(path string) ([]byte, error) {
	answer, err := http.Get(prefix + path)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	body := new(bytes.Buffer)
	if _, err := io.Copy(body, answer.Body); err != nil {
		return nil, err
	}
	if answer.StatusCode != 200 {
		return nil, fmt.Errorf("%s: status %d", path, answer.StatusCode)
	}
	return body.Bytes(), nil
}

func check(err error) {
	if err != nil {
		fail(err.Error())
	}
}

func fail(why string) {
	fmt.Fprintln(os.Stderr, "REFUSED: "+why)
	os.Exit(1)
}
