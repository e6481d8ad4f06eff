// echo answers every HTTP request with the name of its host: what a check asks for through a Service.
// `echo get URL` and `echo resolve NAME` ask from inside a pod, whose image holds no other program.
package main

import (
	"context"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"strings"
	"time"
)

const limit = 3 * time.Second // of one question

func main() {
	log.SetFlags(0)
	if len(os.Args) == 3 {
		said, err := ask(os.Args[1], os.Args[2])
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(strings.TrimSpace(said))
		return
	}
	name, err := os.Hostname()
	if err != nil {
		log.Fatal(err)
	}
	http.HandleFunc("/", func(answer http.ResponseWriter, _ *http.Request) { fmt.Fprintln(answer, name) })
	log.Fatal(http.ListenAndServe(":8080", nil))
}

func ask(verb, what string) (string, error) {
	if verb == "resolve" {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		found, err := net.DefaultResolver.LookupHost(ctx, what)
		return strings.Join(found, " "), err
	}
	if verb != "get" {
		return "", fmt.Errorf("unknown %q: get or resolve", verb)
	}
	answer, err := (&http.Client{Timeout: limit}).Get(what)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return string(body), err
}
