package snapshot

import "strings"

// nowhere is what a group's rules allow that are there to allow nothing: without
// any, EC2 allows all outbound traffic. CDK writes 255.255.255.255/32.
var nowhere = []any{"127.0.0.1/32", "255.255.255.255/32"}

// path is traffic that a rule of a security group allows.
type path struct{ from, to, port string }

// paths are rows of what reaches what: by the rules of security groups, by
// routes, by endpoints, and by the API's methods.
func (p page) paths() (rows [][]string) {
	in, out := map[path]bool{}, map[path]bool{}
	ingress := func(group string, rule map[string]any) { in[path{p.peer(rule), group, p.port(rule)}] = true }
	egress := func(group string, rule map[string]any) {
		if peer := p.peer(rule); peer != nowhere[0] && peer != nowhere[1] {
			out[path{group, peer, p.port(rule)}] = true
		}
	}
	p.each(func(name string, group resource) {
		for _, rule := range p.list(group.Properties["SecurityGroupIngress"]) {
			ingress(name, rule.(map[string]any))
		}
		rules, said := group.Properties["SecurityGroupEgress"]
		if !said {
			egress(name, map[string]any{"CidrIp": "0.0.0.0/0", "IpProtocol": "-1"}) // EC2's default
		}
		for _, rule := range p.list(rules) {
			egress(name, rule.(map[string]any))
		}
	}, "AWS::EC2::SecurityGroup")
	p.each(func(_ string, rule resource) { ingress(p.text(rule.Properties["GroupId"]), rule.Properties) }, "AWS::EC2::SecurityGroupIngress")
	p.each(func(_ string, rule resource) { egress(p.text(rule.Properties["GroupId"]), rule.Properties) }, "AWS::EC2::SecurityGroupEgress")
	for path := range out {
		by := "egress"
		if in[path] {
			by = "both"
		}
		rows = append(rows, []string{path.from, path.to + " " + path.port, by})
	}
	for path := range in {
		if !out[path] {
			rows = append(rows, []string{path.from, path.to + " " + path.port, "ingress"})
		}
	}
	return append(rows, p.ways()...)
}

// ways are rows of what is no security group's: routes, endpoints, methods.
func (p page) ways() (rows [][]string) {
	p.each(func(_ string, route resource) {
		to := ""
		for _, target := range []string{"GatewayId", "NatGatewayId", "TransitGatewayId", "VpcPeeringConnectionId", "VpcEndpointId", "NetworkInterfaceId", "EgressOnlyInternetGatewayId"} {
			to += p.text(route.Properties[target])
		}
		from := p.text(route.Properties["RouteTableId"])
		rows = append(rows, []string{from, p.text(route.Properties["DestinationCidrBlock"]) + p.text(route.Properties["DestinationIpv6CidrBlock"]), "route by " + to})
	}, "AWS::EC2::Route")
	p.each(func(_ string, endpoint resource) {
		kind, _ := endpoint.Properties["VpcEndpointType"].(string)
		rows = append(rows, []string{p.text(endpoint.Properties["VpcId"]), p.text(endpoint.Properties["ServiceName"]), strings.ToLower(kind) + " endpoint"})
	}, "AWS::EC2::VPCEndpoint")
	resources := map[string]resource{}
	for _, stack := range p.stacks {
		for id, resource := range stack.Resources {
			resources[short(id)] = resource
		}
	}
	var route func(any) string
	route = func(id any) string {
		resource, ok := resources[p.text(id)]
		if !ok || resource.Type != "AWS::ApiGateway::Resource" {
			return ""
		}
		return route(resource.Properties["ParentId"]) + "/" + p.text(resource.Properties["PathPart"])
	}
	p.each(func(_ string, method resource) {
		by := "authorization " + p.text(method.Properties["AuthorizationType"])
		if method.Properties["ApiKeyRequired"] == true {
			by += " and an API key"
		}
		api := p.text(method.Properties["RestApiId"])
		rows = append(rows, []string{"clients", api + " " + p.text(method.Properties["HttpMethod"]) + " " + route(method.Properties["ResourceId"]), by})
	}, "AWS::ApiGateway::Method")
	return rows
}

// peer is the other end of a rule.
func (p page) peer(rule map[string]any) string {
	for _, property := range []string{
		"SourceSecurityGroupId", "DestinationSecurityGroupId", "CidrIp", "CidrIpv6",
		"SourcePrefixListId", "DestinationPrefixListId", "SourceSecurityGroupName",
	} {
		if rule[property] != nil {
			return p.text(rule[property])
		}
	}
	return "unknown"
}

func (p page) port(rule map[string]any) string {
	protocol, from, to := p.text(rule["IpProtocol"]), p.text(rule["FromPort"]), p.text(rule["ToPort"])
	switch {
	case protocol == "-1":
		return "all"
	case from == to:
		return protocol + " " + from
	default:
		return protocol + " " + from + "-" + to
	}
}
