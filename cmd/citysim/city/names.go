package city

import (
	"math/rand/v2"

	"videopatrol/cmd/citysim/scene"
	"videopatrol/inventory"
)

// CityName is the name of the made-up city.
const CityName = "澜屿市"

var townNames = [Towns]string{
	"星渚街道", "听澜街道", "榆荫街道", "沐岚街道", "朝汐街道", "云阙街道", "鹿吟街道", "霜桥镇", "墨渠镇", "苇舟镇",
	"雁汀镇", "稻香渡镇", "竹隐镇", "望舒镇", "珠帘镇", "石笋湾镇", "青禾坞镇", "桐照镇", "松萝镇",
}

var (
	firstHalves  = []string{"澄", "锦", "栖", "映", "叠", "霁", "芦", "荻", "泊", "砚", "绮", "漱", "归", "揽", "枕", "拾", "澹", "凝"}
	secondHalves = []string{"霞", "荷", "鹭", "槿", "泉", "麓", "汐", "篁", "帆", "枫"}
	streetNames  = []string{
		"拾光路", "听雨巷", "望潮路", "月洲路", "风铃街", "澜心路", "晚枫路", "星桥街", "云帆大道", "竹影巷",
		"麦浪路", "芦汀路", "晨露街", "渔歌路", "石榴里", "青瓦巷", "榆钱路", "半夏路", "白鹭街", "浣纱路",
	}
	gateNames = []string{"水厂", "变电站", "物资仓库", "泵站", "调压站", "施工场地", "污水处理站", "料场", "苗圃基地", "机修车间"}
)

// names hands out names of first-level cells, each once.
type names struct{ left []string }

func newNames(r *rand.Rand) *names {
	n := &names{}
	for _, a := range firstHalves {
		for _, b := range secondHalves {
			n.left = append(n.left, a+b+"社区")
		}
	}
	r.Shuffle(len(n.left), func(i, j int) { n.left[i], n.left[j] = n.left[j], n.left[i] })
	return n
}

func (n *names) next() string {
	name := n.left[0]
	n.left = n.left[1:]
	return name
}

var zoneNames = map[inventory.ZoneKind]string{
	"fire_lane": "消防通道", "closed_area": "禁入区", "no_parking": "禁停区", "crowd": "人群区",
	"unattended": "物品看守区", "fire_watch": "烟火监测区", "road": "道路", "water_edge": "临水区",
}

var placeNames = map[scene.Kind]string{
	scene.Plaza: "广场", scene.CarPark: "停车场", scene.RiverBank: "滨江步道",
	scene.NeonStreet: "商业街", scene.Crossroads: "路口", scene.Yard: "货场",
}
