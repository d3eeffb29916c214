package main

import (
	"encoding/binary"
	"fmt"
	"net"
	"sync"
	"syscall"
)

// What the kernel's headers say and package syscall does not: linux/if_link.h, linux/veth.h.
const (
	iflaInfoKind = 1
	iflaInfoData = 2
	vethInfoPeer = 1
)

// A socket to the kernel, for one request at a time.
type kernel struct {
	mutex    sync.Mutex
	socket   int
	sequence uint32
}

func openKernel() (*kernel, error) {
	socket, err := syscall.Socket(syscall.AF_NETLINK, syscall.SOCK_RAW|syscall.SOCK_CLOEXEC, syscall.NETLINK_ROUTE)
	if err != nil {
		return nil, err
	}
	return &kernel{socket: socket}, syscall.Bind(socket, &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK})
}

// Sends one message and waits for its acknowledgement.
func (k *kernel) ask(kind uint16, flags uint16, body []byte) error {
	k.mutex.Lock()
	defer k.mutex.Unlock()
	k.sequence++
	head := make([]byte, syscall.NLMSG_HDRLEN)
	binary.NativeEndian.PutUint32(head[0:], uint32(len(head)+len(body)))
	binary.NativeEndian.PutUint16(head[4:], kind)
	binary.NativeEndian.PutUint16(head[6:], flags|syscall.NLM_F_REQUEST|syscall.NLM_F_ACK)
	binary.NativeEndian.PutUint32(head[8:], k.sequence)
	to := &syscall.SockaddrNetlink{Family: syscall.AF_NETLINK}
	if err := syscall.Sendto(k.socket, append(head, body...), 0, to); err != nil {
		return err
	}
	answer := make([]byte, 8192)
	for {
		length, _, err := syscall.Recvfrom(k.socket, answer, 0)
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(answer[:length])
		if err != nil {
			return err
		}
		for _, message := range messages {
			if message.Header.Type != syscall.NLMSG_ERROR || message.Header.Seq != k.sequence {
				continue
			}
			if code := int32(binary.NativeEndian.Uint32(message.Data)); code != 0 {
				return syscall.Errno(-code)
			}
			return nil
		}
	}
}

func attribute(kind uint16, parts ...[]byte) []byte {
	made := make([]byte, 4)
	for _, part := range parts {
		made = append(made, part...)
	}
	binary.NativeEndian.PutUint16(made[0:], uint16(len(made)))
	binary.NativeEndian.PutUint16(made[2:], kind)
	for len(made)%4 != 0 {
		made = append(made, 0)
	}
	return made
}

func text(value string) []byte { return append([]byte(value), 0) }

func number(value uint32) []byte { return binary.NativeEndian.AppendUint32(nil, value) }

// struct ifinfomsg.
func link(index int, isUp bool) []byte {
	made := make([]byte, syscall.SizeofIfInfomsg)
	binary.NativeEndian.PutUint32(made[4:], uint32(index))
	if isUp {
		binary.NativeEndian.PutUint32(made[8:], syscall.IFF_UP)
		binary.NativeEndian.PutUint32(made[12:], syscall.IFF_UP)
	}
	return made
}

func concatenated(parts ...[]byte) []byte {
	var all []byte
	for _, part := range parts {
		all = append(all, part...)
	}
	return all
}

const creates = syscall.NLM_F_CREATE | syscall.NLM_F_EXCL

// A bridge with an address, up.
func (k *kernel) addBridge(name string, address net.IP, mask net.IPMask) error {
	kind := attribute(syscall.IFLA_LINKINFO, attribute(iflaInfoKind, []byte("bridge")))
	named := attribute(syscall.IFLA_IFNAME, text(name))
	if err := k.ask(syscall.RTM_NEWLINK, creates, concatenated(link(0, true), named, kind)); err != nil {
		return fmt.Errorf("bridge %s: %w", name, err)
	}
	bridge, err := net.InterfaceByName(name)
	if err != nil {
		return err
	}
	ones, _ := mask.Size()
	message := []byte{syscall.AF_INET, byte(ones), 0, 0}
	message = append(message, number(uint32(bridge.Index))...)
	message = append(message, attribute(syscall.IFA_LOCAL, address.To4())...)
	return k.ask(syscall.RTM_NEWADDR, creates, message)
}

// A pair of links in one message: one end up and in a bridge, the other with a MAC address.
func (k *kernel) addPair(first, second string, bridge int, mac net.HardwareAddr) error {
	peer := attribute(vethInfoPeer, link(0, false), attribute(syscall.IFLA_IFNAME, text(second)), attribute(syscall.IFLA_ADDRESS, mac))
	kind := attribute(syscall.IFLA_LINKINFO, attribute(iflaInfoKind, []byte("veth")), attribute(iflaInfoData, peer))
	named := attribute(syscall.IFLA_IFNAME, text(first))
	master := attribute(syscall.IFLA_MASTER, number(uint32(bridge)))
	return k.ask(syscall.RTM_NEWLINK, creates, concatenated(link(0, true), named, master, kind))
}

// Waits until the link is gone; it may be gone before.
func (k *kernel) remove(name string) error {
	err := k.ask(syscall.RTM_DELLINK, 0, concatenated(link(0, false), attribute(syscall.IFLA_IFNAME, text(name))))
	if err == syscall.ENODEV {
		return nil
	}
	return err
}
