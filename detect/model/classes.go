package model

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// ErrIdentity is a class list that could tell who somebody is.
var ErrIdentity = errors.New("the gateway detects what happens, never who: a model that could identify a person or a vehicle is refused")

// Words that a class must not have, each by itself. A model of dinner plates
// is refused with those of number plates: it can be named otherwise.
var forbiddenWords = words(`
	face faces facial faceid plate plates licenseplate licenceplate numberplate lpr alpr anpr
	id ids identity identities identification identify reid reidentification re-id
	name names passport idcard fingerprint fingerprints palmprint iris retina gait biometric biometrics
	watchlist blacklist wanted suspect suspects fugitive fugitives criminal vip
	gender ethnic ethnicity nationality religion uyghur uighur tibetan
	headid personid faceplate landmark landmarks embedding embeddings mugshot`)

// Chinese has no spaces: these must be nowhere in a class.
var forbiddenChinese = []string{
	"脸", "面部", "人面", "五官", "面容", "车牌", "号牌", "牌照", "牌号", "身份", "姓名", "名字", "重识别", "再识别", "人员识别", "指纹", "掌纹", "虹膜", "步态", "声纹",
	"黑名单", "白名单", "嫌疑", "嫌犯", "逃犯", "在逃", "通缉", "重点人员", "民族", "种族", "性别", "国籍", "宗教", "维吾尔", "藏族",
	"先生", "女士", "小姐",
}

// Given names and pinyin surnames that are no things, in lower case: two words
// of which one is such a name are a person.
var givenNames = words(`
	james john robert michael david william richard joseph thomas charles daniel matthew anthony donald steven paul andrew
	joshua kevin brian george edward ronald timothy jason jeffrey ryan jacob gary nicholas eric jonathan stephen larry justin
	mary patricia jennifer linda elizabeth barbara susan jessica sarah karen nancy lisa betty sandra ashley kimberly emily
	donna michelle carol amanda melissa deborah stephanie rebecca laura helen anna maria mohammed muhammad ahmed ali ivan
	wang zhang liu chen yang zhao huang zhou wu xu zhu guo luo zheng xie feng xiao cao deng peng zeng`)

// Surnames that begin no usual Chinese word for a thing.
const surnames = "王李张刘陈赵吴徐孙胡朱何郭罗梁宋郑谢韩唐冯董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾魏薛阎潘杜戴姚谭廖邹"

func words(s string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(s) {
		m[w] = true
	}
	return m
}

var (
	camel    = regexp.MustCompile(`(\p{Ll})(\p{Lu})`)
	somebody = regexp.MustCompile(`^(person|people|man|woman|child|face|head|human|人|行人|人员)[ _#-]*\d+$`)
)

// check refuses a class list that could identify a person or a vehicle.
func (c Classes) check() (path string, err error) {
	if len(c) == 0 || len(c) > maxClasses {
		return "$.classes", fmt.Errorf("%d classes: want 1 to %d", len(c), maxClasses)
	}
	seen := map[string]bool{}
	for i, class := range c {
		path := fmt.Sprintf("$.classes[%d]", i)
		if why := identifies(class); why != "" {
			return path, fmt.Errorf("class %q %s. %w", class, why, ErrIdentity)
		}
		if strings.TrimSpace(class) != class || class == "" || len(class) > 64 || strings.ContainsFunc(class, unicode.IsControl) {
			return path, fmt.Errorf("class %q: want a name of at most 64 bytes", class)
		}
		if seen[class] {
			return path, fmt.Errorf("class %q is there twice", class)
		}
		seen[class] = true
	}
	return "", nil
}

// identifies says why a class could tell who somebody is; "" if it could not.
func identifies(class string) string {
	s := norm.NFKC.String(class)
	lower := strings.ToLower(s)
	parts := strings.FieldsFunc(strings.ToLower(camel.ReplaceAllString(s, "$1 $2")), func(r rune) bool {
		return !unicode.IsLetter(r)
	})
	for _, w := range parts {
		if forbiddenWords[w] {
			return fmt.Sprintf("has the word %q", w)
		}
	}
	// Words that were split or run together: "re-id", "l i c e n s e plate".
	joined := strings.Join(parts, "")
	for w := range forbiddenWords {
		if len(w) >= 5 && joined == w || w == "reid" && strings.HasSuffix(joined, w) {
			return fmt.Sprintf("has the word %q", w)
		}
	}
	for _, w := range forbiddenChinese {
		if strings.Contains(strings.Join(strings.Fields(s), ""), w) {
			return fmt.Sprintf("has the word %q", w)
		}
	}
	if somebody.MatchString(lower) {
		return "numbers persons"
	}
	if !strings.ContainsFunc(s, unicode.IsLetter) {
		return "says not what it is, as those of models that tell persons apart"
	}
	if len(parts) >= 2 && len(parts) <= 3 && slices.ContainsFunc(parts, func(w string) bool { return givenNames[w] }) {
		return "looks like somebody's name"
	}
	if r := []rune(s); (len(r) == 2 || len(r) == 3) && strings.ContainsRune(surnames, r[0]) && unicode.Is(unicode.Han, r[1]) {
		return "looks like somebody's name"
	}
	return ""
}

// coco are the 80 classes of the COCO detection task, by number.
func coco() []string {
	return strings.Split("person,bicycle,car,motorcycle,airplane,bus,train,truck,boat,traffic light,fire hydrant,stop sign,"+
		"parking meter,bench,bird,cat,dog,horse,sheep,cow,elephant,bear,zebra,giraffe,backpack,umbrella,handbag,tie,suitcase,"+
		"frisbee,skis,snowboard,sports ball,kite,baseball bat,baseball glove,skateboard,surfboard,tennis racket,bottle,"+
		"wine glass,cup,fork,knife,spoon,bowl,banana,apple,sandwich,orange,broccoli,carrot,hot dog,pizza,donut,cake,chair,"+
		"couch,potted plant,bed,dining table,toilet,tv,laptop,mouse,remote,keyboard,cell phone,microwave,oven,toaster,sink,"+
		"refrigerator,book,clock,vase,scissors,teddy bear,hair drier,toothbrush", ",")
}
