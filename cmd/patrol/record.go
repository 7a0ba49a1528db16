package main

import (
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"strings"
)

// DatabaseConfig says where the record is kept.
type DatabaseConfig struct {
	// URL is a postgres:// address without a password; "" is a SQLite file in
	// the data folder.
	URL      string    `yaml:"url"`
	Password SecretRef `yaml:"password"`
}

// check says what is wrong, without repeating the address: it may hold a
// password.
func (d DatabaseConfig) check() error {
	if d.URL == "" {
		if d.Password != "" {
			return errors.New("a password goes with the url of PostgreSQL, which is empty")
		}
		return nil
	}
	u, err := url.Parse(d.URL)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return errors.New("want postgres://user@host:5432/database?sslmode=verify-full, or nothing for SQLite in the data folder")
	}
	if _, ok := u.User.Password(); ok || u.Query().Has("password") {
		return errors.New("the address holds a password: take it out and name it in database.password, as ${NAME} or file:PATH")
	}
	return nil
}

// address is where the record is, password and all.
func (d DatabaseConfig) address(data string) (string, error) {
	if d.URL == "" {
		return "sqlite:" + filepath.Join(data, recordFile), nil
	}
	if d.Password == "" {
		return d.URL, nil
	}
	password, err := d.Password.Resolve()
	if err != nil {
		return "", fmt.Errorf("database.password: %w", err)
	}
	separator := "?"
	if strings.Contains(d.URL, "?") {
		separator = "&"
	}
	return d.URL + separator + "password=" + url.QueryEscape(password.Reveal()), nil
}
