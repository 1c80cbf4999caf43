package reach

import (
	"net/netip"
	"strings"
)

// subnets looks at each of the subnets that hold the database, a proxy, or a host that may reach them.
func (f *finder) subnets(subnets []target, trail []Step) {
	for _, subnet := range subnets {
		if subnet.resource == nil {
			f.leak(trail, subnet.text, "a subnet that is not in the templates: its routes are not known")
			continue
		}
		f.subnet(subnet.resource, trail)
	}
}

func (f *finder) subnet(s *resource, trail []Step) {
	for _, property := range []string{"MapPublicIpOnLaunch", "AssignIpv6AddressOnCreation"} {
		if f.mayBe(s, property, false) {
			f.leak(trail, s.name(), "%s: what stands in it gets a public address", property)
		}
	}
	inside := outward(trail, s.name(), "the subnet")

	associations := f.that("AWS::EC2::SubnetRouteTableAssociation", "SubnetId", s)
	for _, association := range associations {
		for _, table := range f.of(association, "RouteTableId") {
			if table.resource == nil {
				f.leak(inside, table.text, "a route table that is not in the templates: its routes are not known")
				continue
			}
			f.routes(table.resource, outward(inside, table.resource.name(), "its route table"))
		}
	}
	// The main table of a VPC of the templates has the local route alone: CloudFormation cannot name it.
	if len(associations) == 0 && f.vpc(s) == nil {
		f.leak(inside, s.name(), "stands in a VPC that is not in the templates and has that VPC's main route table")
	}

	for _, association := range f.that("AWS::EC2::SubnetNetworkAclAssociation", "SubnetId", s) {
		for _, list := range f.of(association, "NetworkAclId") {
			if list.resource != nil {
				f.acl(list.resource, f.vpc(s), inside)
			}
		}
	}
	for kind, why := range map[string]string{
		"AWS::EC2::ClientVpnTargetNetworkAssociation": "lets clients of a VPN into the subnet",
		"AWS::EC2::TransitGatewayAttachment":          "attaches the subnet to a transit gateway",
		"AWS::EC2::TransitGatewayVpcAttachment":       "attaches the subnet to a transit gateway",
		"AWS::NetworkManager::VpcAttachment":          "attaches the subnet to a core network",
	} {
		for _, r := range f.ofKind(kind) {
			if f.mentions(r, s) {
				f.leak(inside, r.name(), "%s", why)
			}
		}
	}
}

// gateways are the properties of AWS::EC2::Route by which a route leaves the VPC.
var gateways = []struct{ property, why string }{
	{"GatewayId", "a gateway"},
	{"NatGatewayId", "a NAT gateway: nothing comes in by it, but data can leave"},
	{"EgressOnlyInternetGatewayId", "an egress-only internet gateway: nothing comes in by it, but data can leave"},
	{"VpcPeeringConnectionId", "a peered VPC"},
	{"TransitGatewayId", "a transit gateway"},
	{"CarrierGatewayId", "a carrier gateway"},
	{"LocalGatewayId", "a local gateway"},
	{"CoreNetworkArn", "a core network"},
	{"VpcEndpointId", "an endpoint that may send it on"},
	{"InstanceId", "an instance that may send it on"},
	{"NetworkInterfaceId", "a network interface that may send it on"},
	{"OdbNetworkArn", "an ODB network"},
}

func (f *finder) routes(table *resource, trail []Step) {
	for _, route := range f.that("AWS::EC2::Route", "RouteTableId", table) {
		via := outward(trail, route.name(), "sends %s there", destination(route))
		for _, gateway := range gateways {
			for _, t := range f.of(route, gateway.property) {
				switch {
				case t.resource != nil:
					f.leak(via, t.resource.name(), "%s, %s", gateway.why, t.resource.kind)
				case t.text != "local":
					f.leak(via, t.text, "%s", gateway.why)
				}
			}
		}
	}
	for _, r := range f.that("AWS::EC2::VPNGatewayRoutePropagation", "RouteTableIds", table) {
		f.leak(trail, r.name(), "adds the routes of a VPN gateway")
	}
}

func destination(route *resource) string {
	for _, property := range []string{"DestinationCidrBlock", "DestinationIpv6CidrBlock", "DestinationPrefixListId"} {
		if value := route.properties[property]; value != nil {
			return canonical(value)
		}
	}
	return "something"
}

// acl looks at a network ACL that somebody made. It can only close, so the
// default one, which lets all through, is no leak: one that was made and lets the
// outside in is a hole in a wall.
func (f *finder) acl(list, vpc *resource, trail []Step) {
	for _, entry := range f.that("AWS::EC2::NetworkAclEntry", "NetworkAclId", list) {
		if f.mayBe(entry, "Egress", false) || entry.properties["RuleAction"] == "deny" {
			continue
		}
		for _, property := range []string{"CidrBlock", "Ipv6CidrBlock"} {
			for _, block := range f.of(entry, property) {
				if !f.within(block, vpc) {
					f.leak(outward(trail, list.name(), "its network ACL"), entry.name(), "lets in %s", block.text)
				}
			}
		}
	}
}

// vpc is the VPC of a subnet or of a group; nil if it is not in the templates.
func (f *finder) vpc(r *resource) *resource {
	for _, t := range f.of(r, "VpcId") {
		if t.resource != nil {
			return t.resource
		}
	}
	return nil
}

// within says whether block is known to be addresses of vpc alone.
func (f *finder) within(block target, vpc *resource) bool {
	if vpc == nil {
		return false
	}
	if block.resource != nil {
		return block.resource == vpc || f.vpc(block.resource) == vpc
	}
	inner, err := netip.ParsePrefix(block.text)
	if err != nil {
		return false
	}
	blocks := f.of(vpc, "CidrBlock")
	for _, further := range f.that("AWS::EC2::VPCCidrBlock", "VpcId", vpc) {
		blocks = append(blocks, f.of(further, "CidrBlock")...)
	}
	for _, b := range blocks {
		outer, err := netip.ParsePrefix(b.text)
		if err == nil && outer.Bits() <= inner.Bits() && outer.Contains(inner.Addr()) {
			return true
		}
	}
	return false
}

// nowhere says whether block is the machine's own address: AWS's placeholder for no rule.
func nowhere(block string) bool {
	prefix, err := netip.ParsePrefix(strings.TrimSpace(block))
	return err == nil && prefix.Addr().IsLoopback() && prefix.IsSingleIP()
}
