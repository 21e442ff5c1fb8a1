// Prices answers what an item costs. It logs with log/slog.
package main

import (
	"crypto/rand"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"os"
)

var prices = map[string]int{"apple": 30, "pear": 45}

func newID() string {
	id := make([]byte, 16)
	rand.Read(id)
	return hex.EncodeToString(id)
}

func price(w http.ResponseWriter, r *http.Request) {
	correlationID := r.Header.Get("X-Correlation-Id")
	if correlationID == "" {
		correlationID = newID()
	}
	w.Header().Set("X-Correlation-Id", correlationID)
	log := slog.With("correlation_id", correlationID, "job_id", newID())

	item := r.URL.Query().Get("item")
	cents, known := prices[item]
	if !known {
		log.Warn("price unknown", "item", item, "error_kind", "NO_SUCH_ITEM")
		http.Error(w, "no such item", http.StatusNotFound)
		return
	}
	log.Info("price found", "item", item, slog.Group("price", "cents", cents, "currency", "EUR"))
	w.WriteHeader(http.StatusNoContent)
}

func main() {
	slog.SetDefault(slog.New(slog.NewJSONHandler(os.Stdout, nil)).With("component", "catalogue"))
	listener, err := net.Listen("tcp", "127.0.0.1:"+os.Getenv("PORT"))
	if err != nil {
		slog.Error("cannot listen", "err", err)
		os.Exit(1)
	}
	slog.Info("listening", "port", listener.Addr().(*net.TCPAddr).Port)
	http.HandleFunc("/price", price)
	slog.Error("stopped", "err", http.Serve(listener, nil))
}
