// Writes vectors/ledger.json with the Go project's own golang.org/x/mod/sumdb (tlog and note), none of our code:
//
//	apt-get install golang-go golang-golang-x-mod-dev
//	GO111MODULE=off GOPATH=/usr/share/gocode go run vectors/make_ledger.go > vectors/ledger.json
//
// The tests read the file; they never write it. Entry number i is the text "entry i". The keys are those of no one.
package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

const (
	leaves  = 70000
	origin  = "moiety-ledger/ten_0001"
	witness = "moiety-witness/ten_0001"
	second  = 1679315147
)

var stored []tlog.Hash

func read(indexes []int64) ([]tlog.Hash, error) {
	found := make([]tlog.Hash, len(indexes))
	for i, at := range indexes {
		found[i] = stored[at]
	}
	return found, nil
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func root(size int64) tlog.Hash {
	found, err := tlog.TreeHash(size, tlog.HashReaderFunc(read))
	must(err)
	return found
}

func hexes(hashes []tlog.Hash) []string {
	found := []string{}
	for _, one := range hashes {
		found = append(found, hex.EncodeToString(one[:]))
	}
	return found
}

// cosigner puts c2sp.org/tlog-cosignature v1 lines under notes.
type cosigner struct{ key ed25519.PrivateKey }

func (c cosigner) public() []byte { return c.key.Public().(ed25519.PublicKey) }

func (c cosigner) Name() string { return witness }

func (c cosigner) KeyHash() uint32 {
	sum := sha256.Sum256(append([]byte(witness+"\n\x04"), c.public()...))
	return binary.BigEndian.Uint32(sum[:4])
}

func (c cosigner) Sign(msg []byte) ([]byte, error) {
	signed := fmt.Sprintf("cosignature/v1\ntime %d\n%s", second, msg)
	return append(binary.BigEndian.AppendUint64(nil, second), ed25519.Sign(c.key, []byte(signed))...), nil
}

func main() {
	for n := int64(0); n < leaves; n++ {
		hashes, err := tlog.StoredHashes(n, []byte(fmt.Sprintf("entry %d", n)), tlog.HashReaderFunc(read))
		must(err)
		stored = append(stored, hashes...)
	}
	sizes := []int64{1, 2, 3, 4, 5, 7, 8, 255, 256, 257, 300, 65536, 65537, leaves}
	roots := map[string]string{}
	inclusion, consistency := []any{}, []any{}
	for _, size := range sizes {
		hash := root(size)
		roots[fmt.Sprint(size)] = hex.EncodeToString(hash[:])
		for _, index := range []int64{0, 1, 2, 254, 255, 256, size / 2, size - 2, size - 1} {
			if 0 <= index && index < size {
				proof, err := tlog.ProveRecord(size, index, tlog.HashReaderFunc(read))
				must(err)
				inclusion = append(inclusion, map[string]any{"size": size, "index": index, "proof": hexes(proof)})
			}
		}
		for _, old := range sizes {
			if old <= size {
				proof, err := tlog.ProveTree(size, old, tlog.HashReaderFunc(read))
				must(err)
				consistency = append(consistency, map[string]any{"size": size, "old": old, "proof": hexes(proof)})
			}
		}
	}
	tiles := map[string]string{}
	for level := 0; leaves>>(8*level) > 0; level++ {
		for first := int64(0); first < leaves>>(8*level); first += 256 {
			width := int64(leaves>>(8*level)) - first
			if width > 256 {
				width = 256
			}
			tile := tlog.Tile{H: 8, L: level, N: first / 256, W: int(width)}
			data, err := tlog.ReadTileData(tile, tlog.HashReaderFunc(read))
			must(err)
			sum := sha256.Sum256(data)
			tiles[strings.TrimPrefix(tile.Path(), "tile/8/")] = hex.EncodeToString(sum[:])
		}
	}
	paths := map[string]string{}
	for _, tile := range []tlog.Tile{{H: 8, L: 0, N: 1234067, W: 256}, {H: 8, L: 1, N: 999, W: 17}, {H: 8, L: 2, N: 1000, W: 1}} {
		paths[fmt.Sprintf("%d %d %d", tile.L, tile.N, tile.W)] = strings.TrimPrefix(tile.Path(), "tile/8/")
	}

	seed, other := bytes.Repeat([]byte{7}, 32), bytes.Repeat([]byte{9}, 32)
	key := ed25519.NewKeyFromSeed(seed)
	vkey, err := note.NewEd25519VerifierKey(origin, key.Public().(ed25519.PublicKey))
	must(err)
	id := strings.Split(vkey, "+")[1]
	secret := "PRIVATE+KEY+" + origin + "+" + id + "+" + base64.StdEncoding.EncodeToString(append([]byte{1}, seed...))
	signer, err := note.NewSigner(secret)
	must(err)
	top := root(leaves)
	text := fmt.Sprintf("%s\n%d\n%s\n", origin, leaves, base64.StdEncoding.EncodeToString(top[:]))
	cosign := cosigner{ed25519.NewKeyFromSeed(other)}
	signed, err := note.Sign(&note.Note{Text: text}, signer)
	must(err)
	cosigned, err := note.Sign(&note.Note{Text: text}, signer, cosign)
	must(err)
	wkey := fmt.Sprintf("%s+%08x+%s", witness, cosign.KeyHash(), base64.StdEncoding.EncodeToString(append([]byte{4}, cosign.public()...)))

	out := json.NewEncoder(os.Stdout)
	out.SetIndent("", " ")
	must(out.Encode(map[string]any{
		"leaves": leaves, "roots": roots, "inclusion": inclusion, "consistency": consistency,
		"tiles_sha256": tiles, "paths": paths, "origin": origin, "witness": witness, "time": second,
		"log_seed": hex.EncodeToString(seed), "witness_seed": hex.EncodeToString(other),
		"log_key": vkey, "witness_key": wkey, "signed": string(signed), "cosigned": string(cosigned),
	}))
}
